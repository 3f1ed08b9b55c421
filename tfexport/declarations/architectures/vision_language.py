"""Models that read images and text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tfexport.declarations.architectures.axes import (
    DECODER_TEXT,
    IMAGE_OF_ONE_SIZE,
    ONE_TOKEN,
    PER_SAMPLE,
    TEXT,
    ports,
)
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.model_facts import ModelFacts
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast
from tfexport.dummy_inputs import InputRules
from tfexport.dummy_inputs.sizes import Axes

_TEXTS = {0: "text_batch", 1: "sequence"}
_IMAGES = {0: "image_batch"}
"""Axes of images that are compared with texts. Their numbers can differ."""
_IMAGES_OF_A_TEXT = {0: "batch", 1: "images"}
_BOXES = {0: "batch", 1: "boxes"}
"""Axes of the regions of an image."""
_DECODED_TEXT = {0: "batch", 1: "past_decoder_sequence + sequence"}

_ENDS_WITH_TOKEN = ModelFacts(InputRules(ends_with_token=True))
"""CLIP and related models read the state at the end of a text. Without an end they read the first token, which sees no other."""


class _by_task:
    """Inputs or outputs by task, as a class attribute. A task without an entry has its usual outputs.

    Args:
        by_task: the names with their axes, by task with underscores.
    """

    def __init__(self, **by_task: Mapping[str, Axes]) -> None:
        self.by_task = {name.replace("_", "-"): axes for name, axes in by_task.items()}

    def __get__(self, config: OnnxConfig | None, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        task = "default" if config is None else config.task
        found = self.by_task.get(task) or owner._tasks_to_common_outputs[task]
        return OrderedDict((name, dict(axes)) for name, axes in found.items())


class _Contrastive(OnnxConfig):
    """Two encoders, and the similarity of each text to each image."""

    default_fixed_batch = 3  # texts; there are fewer images, so that a swapped axis shows

    outputs = _by_task(
        default={
            "logits_per_image": {0: "image_batch", 1: "text_batch"},
            "logits_per_text": {0: "text_batch", 1: "image_batch"},
            "text_embeds": {0: "text_batch"},
            "image_embeds": {0: "image_batch"},
        }
    )


@register("blip", "default", "vision2seq-lm")
class BlipOnnxConfig(_Contrastive):
    """BLIP: CLIP's two encoders by default, and a decoder that writes captions for an image."""

    inputs = _by_task(
        default={"input_ids": _TEXTS, "pixel_values": _IMAGES, "attention_mask": _TEXTS},
        vision2seq_lm={"pixel_values": IMAGE_OF_ONE_SIZE, "input_ids": TEXT, "attention_mask": TEXT},
    )


@register("chinese-clip", "default")
class ChineseCLIPOnnxConfig(_Contrastive):
    """Chinese CLIP: BERT and a vision transformer."""

    inputs = ports(input_ids=_TEXTS, pixel_values=_IMAGES, attention_mask=_TEXTS)


@register("clip", "default", "image-classification", facts=_ENDS_WITH_TOKEN)
class CLIPOnnxConfig(_Contrastive):
    """CLIP: text and images in one space. Image classification uses only the vision encoder."""

    inputs = _by_task(
        default={"input_ids": _TEXTS, "pixel_values": _IMAGES, "attention_mask": _TEXTS},
        image_classification={"pixel_values": IMAGE_OF_ONE_SIZE},
    )


@register("clip-text-model", "default", classes={"default": {"tf": ("TFCLIPTextModel",)}}, facts=_ENDS_WITH_TOKEN)
class CLIPTextOnnxConfig(OnnxConfig):
    """The text encoder of CLIP."""

    inputs = ports(input_ids=TEXT, attention_mask=TEXT)
    outputs = ports(last_hidden_state=TEXT, pooler_output=PER_SAMPLE)


@register("clip-vision-model", "default", classes={"default": {"tf": ("TFCLIPVisionModel",)}})
class CLIPVisionOnnxConfig(OnnxConfig):
    """The vision encoder of CLIP."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    outputs = ports(last_hidden_state=PER_SAMPLE, pooler_output=PER_SAMPLE)


@register("groupvit", "default", facts=_ENDS_WITH_TOKEN)
class GroupViTOnnxConfig(_Contrastive):
    """GroupViT: CLIP whose vision encoder groups regions of an image."""

    inputs = ports(input_ids=_TEXTS, pixel_values=_IMAGES, attention_mask=_TEXTS)


@register("idefics", "default", "pretraining")
class IdeficsOnnxConfig(OnnxConfig):
    """IDEFICS: a decoder of text whose layers alternate with gated attention to images."""

    inputs = ports(
        input_ids=TEXT,
        attention_mask=TEXT,
        pixel_values=_IMAGES_OF_A_TEXT,
        image_attention_mask={**TEXT, 2: "images"},
    )


@register("lxmert", "default", "question-answering", "pretraining")
class LxmertOnnxConfig(OnnxConfig):
    """LXMERT: text, and regions of an image that a detector has found."""

    inputs = ports(input_ids=TEXT, visual_feats=_BOXES, visual_pos=_BOXES, attention_mask=TEXT, token_type_ids=TEXT)
    outputs = _by_task(
        default={"language_output": TEXT, "vision_output": _BOXES, "pooled_output": PER_SAMPLE},
        question_answering={"question_answering_score": PER_SAMPLE},
        pretraining={
            "prediction_logits": TEXT,
            "cross_relationship_score": PER_SAMPLE,
            "question_answering_score": PER_SAMPLE,
        },
    )


@register("owlvit", "default", facts=_ENDS_WITH_TOKEN)
class OwlViTOnnxConfig(_Contrastive):
    """OWL-ViT: CLIP trained to find objects by their names."""

    inputs = ports(input_ids=_TEXTS, pixel_values=_IMAGES, attention_mask=_TEXTS)


class VisionEncoderDecoderEncoderOnnxConfig(OnnxConfig):
    """The encoder of a vision encoder-decoder."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    outputs = ports(last_hidden_state=PER_SAMPLE)


class VisionEncoderDecoderDecoderOnnxConfig(OnnxConfig):
    """The decoder of a vision encoder-decoder: text and the encoder's output."""

    inputs = ports(
        input_ids=_DECODED_TEXT,
        attention_mask=_DECODED_TEXT,
        encoder_hidden_states={0: "batch", 1: "encoder_sequence"},
    )

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict((name, dict(_DECODED_TEXT)) for name in super().outputs)


@register("vision-encoder-decoder", "vision2seq-lm", "vision2seq-lm-with-past")
class VisionEncoderDecoderOnnxConfig(OnnxSeq2SeqConfigWithPast):
    """Any vision encoder with any text decoder that attends to its output."""

    _encoder_states_ = PER_SAMPLE

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs: OrderedDict[str, Any] = OrderedDict(pixel_values=dict(IMAGE_OF_ONE_SIZE))
        inputs["decoder_input_ids"] = dict(ONE_TOKEN if self.use_past else DECODER_TEXT)
        if self.use_past:
            self.fill_with_past_key_values_(inputs, direction="inputs")
        return inputs

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs: OrderedDict[str, Any] = OrderedDict(logits=dict(DECODER_TEXT))
        if self.use_past:
            self.fill_with_past_key_values_(outputs, direction="outputs")
        return outputs

    @property
    def values_override(self) -> Mapping[str, Any]:
        return {"decoder.use_cache": self.use_past} if hasattr(self._config.decoder, "use_cache") else {}

    def _encoder_length_(self, inputs: Mapping[str, Any]) -> None:
        return None  # patches, special tokens or merged windows

    def get_encoder_config(self, encoder_config: Any) -> OnnxConfig:
        """Return the declaration of ``model.encoder``.

        Args:
            encoder_config: ``model.config.encoder``.
        """
        return VisionEncoderDecoderEncoderOnnxConfig(encoder_config)

    def get_decoder_config(self, encoder_config: Any, decoder_config: Any, feature: str = "default") -> OnnxConfig:
        """Return the declaration of ``model.decoder``.

        Where encoder and decoder differ in width, ``model.enc_to_dec_proj`` connects them and belongs to neither part.

        Args:
            encoder_config: ``model.config.encoder``.
            decoder_config: ``model.config.decoder``. The width of its input is written into it as ``encoder_hidden_size``.
            feature: ``"causal-lm"`` for a decoder with its head.
        """
        own_width = getattr(decoder_config, "cross_attention_hidden_size", None) is None
        width = decoder_config.hidden_size if own_width else encoder_config.hidden_size
        decoder_config.encoder_hidden_size = width
        return VisionEncoderDecoderDecoderOnnxConfig(decoder_config, feature)


@register("vision-text-dual-encoder", "default")
class VisionTextDualEncoderOnnxConfig(_Contrastive):
    """Any vision encoder and any text encoder, compared as in CLIP."""

    inputs = ports(input_ids=_TEXTS, pixel_values=_IMAGES, attention_mask=_TEXTS)
