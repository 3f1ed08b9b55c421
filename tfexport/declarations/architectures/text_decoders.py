"""Text decoders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tfexport.declarations.architectures.axes import TEXT
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.model_facts import ModelFacts
from tfexport.declarations.with_past import WHOLE_SEQUENCE, OnnxConfigWithPast

_GPT = ("default", "default-with-past", "causal-lm", "causal-lm-with-past")


class _Decoder(OnnxConfigWithPast):
    """A decoder that takes token ids and a mask; with past, the mask covers past and new tokens."""

    takes_position_ids = False
    """Whether the model takes ``position_ids`` with past. The others count positions by the mask or by the cache."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs: OrderedDict[str, Any] = OrderedDict(input_ids=dict(TEXT))
        if not self.use_past:
            inputs["attention_mask"] = dict(TEXT)
            return inputs
        self.fill_with_past_key_values_(inputs, direction="inputs")
        inputs["attention_mask"] = {0: "batch", 1: WHOLE_SEQUENCE}
        if self.takes_position_ids:
            inputs["position_ids"] = dict(TEXT)
        return inputs

    @property
    def values_override(self) -> Mapping[str, Any]:
        # Classification heads read the last token that is not padding, and refuse batches without a padding id.
        overrides = dict(super().values_override or {})
        if self.task == "sequence-classification" and self._config.pad_token_id is None:
            overrides["pad_token_id"] = 0
        return overrides


@register("bloom", *_GPT, "sequence-classification", "token-classification")
class BloomOnnxConfig(_Decoder):
    """BLOOM: attention with linear biases."""

    @property
    def atol_for_validation(self) -> float:
        return 1e-3


@register("codegen", *_GPT)
class CodeGenOnnxConfig(_Decoder):
    """CodeGen."""

    takes_position_ids = True


@register("ctrl", *_GPT, "sequence-classification", facts=ModelFacts(stacks_cache=True))
class CTRLOnnxConfig(_Decoder):
    """CTRL: the first token of a text is a control code."""

    takes_position_ids = True


@register(
    "gpt2",
    *_GPT,
    "sequence-classification",
    "token-classification",
    # As a decoder it caches only its self-attention in TensorFlow (transformers 4.57).
    facts=ModelFacts(stacks_cache=True, caches_cross_attention=False),
)
class GPT2OnnxConfig(_Decoder):
    """GPT-2."""

    takes_position_ids = True


@register("gptj", *_GPT, "question-answering", "sequence-classification")
class GPTJOnnxConfig(_Decoder):
    """GPT-J: rotary positions, parallel attention and feed-forward."""

    takes_position_ids = True


@register("gpt-neo", *_GPT, "sequence-classification")
class GPTNeoOnnxConfig(_Decoder):
    """GPT-Neo: alternating global and local attention."""

    takes_position_ids = True


@register("gpt-sw3", *_GPT, "sequence-classification", "token-classification")
class GPTSw3OnnxConfig(_Decoder):
    """GPT-SW3: GPT-2 for the Nordic languages."""

    takes_position_ids = True


@register("mistral", *_GPT, "question-answering", "sequence-classification", "token-classification")
class MistralOnnxConfig(_Decoder):
    """Mistral: attention in a sliding window, with fewer heads for keys and values than for queries."""

    takes_position_ids = True


@register("openai-gpt", "default", "causal-lm", "sequence-classification")
class OpenAIGPTOnnxConfig(_Decoder):
    """The first GPT."""


@register("opt", *_GPT, "question-answering", "sequence-classification")
class OPTOnnxConfig(_Decoder):
    """OPT: positions are counted by the mask."""


@register("xglm", *_GPT)
class XGLMOnnxConfig(_Decoder):
    """XGLM: a decoder of many languages."""

    @property
    def takes_position_ids(self) -> bool:  # type: ignore[override]
        return self.task == "causal-lm"  # TFXGLMModel takes them and ignores them (transformers 4.57.6)
