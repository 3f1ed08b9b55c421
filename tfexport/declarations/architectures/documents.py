"""Models of documents and tables, and Perceiver, which reads text or images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.declarations.architectures.axes import IMAGE_OF_ONE_SIZE, PER_SAMPLE, TEXT, text_inputs
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.framework_tensors import to_framework
from tfexport.declarations.onnx_config import OnnxConfig


@register(
    "layoutlm",
    "default",
    "masked-lm",
    "sequence-classification",
    "token-classification",
    "document-question-answering",
)
class LayoutLMOnnxConfig(OnnxConfig):
    """LayoutLM: BERT with the box of each word on the page."""

    inputs = text_inputs("input_ids", "bbox", "attention_mask", "token_type_ids")


@register(
    "layoutlmv3",
    "default",
    "question-answering",
    "document-question-answering",
    "sequence-classification",
    "token-classification",
)
class LayoutLMv3OnnxConfig(OnnxConfig):
    """LayoutLMv3: words, their boxes, and patches of the page's image, whose size is fixed."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        # The order is that of transformers.onnx, because users feed its files by position.
        boxes_first = self.task in ("default", "token-classification")
        middle = ("bbox", "attention_mask") if boxes_first else ("attention_mask", "bbox")
        inputs = OrderedDict((name, dict(TEXT)) for name in ("input_ids", *middle))
        inputs["pixel_values"] = dict(IMAGE_OF_ONE_SIZE)
        return inputs

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        if self.task == "default":  # tokens, then a classification token and patches
            return OrderedDict(last_hidden_state={0: "batch", 1: "sequence_and_patches"})
        return super().outputs


@register("perceiver", "default", "masked-lm", "sequence-classification", "image-classification")
class PerceiverOnnxConfig(OnnxConfig):
    """Perceiver IO: a fixed number of latent vectors that attend to any input."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        if self.task == "image-classification":
            return OrderedDict(inputs=dict(IMAGE_OF_ONE_SIZE))
        return OrderedDict(inputs=dict(TEXT), attention_mask=dict(TEXT))

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        # The number of vectors is that of the latents, or of the positions, for inputs of any length.
        return OrderedDict((name, dict(PER_SAMPLE)) for name in super().outputs)

    def generate_dummy_inputs(  # type: ignore[override]
        self,
        preprocessor: Any = None,
        batch_size: int = -1,
        seq_length: int = -1,
        num_choices: int = -1,
        is_pair: bool = False,
        framework: Any = None,
        **kwargs: Any,
    ) -> Mapping[str, Any]:
        """Return the inputs of `OnnxConfig.generate_dummy_inputs`, with vectors in place of token ids for the bare model.

        Returns:
            ``inputs``, float32 ``(batch, sequence, d_model)`` for the bare model, which has no embeddings; int64
            ``(batch, sequence)`` for models of text; float32 ``(batch, channels, height, width)`` for models of images.
        """
        made = super().generate_dummy_inputs(preprocessor, batch_size, seq_length, num_choices, is_pair, **kwargs)
        inputs = dict(made)
        if self.task == "default":
            random = np.random.default_rng(inputs["inputs"].ravel())
            shape = (*inputs["inputs"].shape, int(self._config.d_model))
            inputs["inputs"] = random.normal(size=shape).astype(np.float32)
        return to_framework(inputs, framework)


@register("tapas", "default", "masked-lm", "sequence-classification", "table-question-answering")
class TapasOnnxConfig(OnnxConfig):
    """TAPAS: BERT over the cells of a table. Its seven token types give the position of each token in the table."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs = OrderedDict(super().outputs)
        if self.task == "table-question-answering" and self._config.num_aggregation_labels > 0:
            outputs["logits_aggregation"] = dict(PER_SAMPLE)
        return outputs
