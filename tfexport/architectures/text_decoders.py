"""Text decoders (without past here)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfexport.architectures.ports import text_inputs
from tfexport.architectures.registry import register
from tfexport.onnx_config_with_past import OnnxConfigWithPast


class _Decoder(OnnxConfigWithPast):
    """A decoder that takes token ids and a mask."""

    inputs = text_inputs("input_ids", "attention_mask")

    @property
    def values_override(self) -> Mapping[str, Any]:
        # Classification heads look for the last token that is not padding, and refuse batches without a padding id.
        overrides = dict(super().values_override or {})
        if self.task == "sequence-classification" and self._config.pad_token_id is None:
            overrides["pad_token_id"] = 0
        return overrides


@register("bloom", "default", "causal-lm", "sequence-classification", "token-classification")
class BloomOnnxConfig(_Decoder):
    """BLOOM: attention with linear biases."""

    @property
    def atol_for_validation(self) -> float:
        return 1e-3


@register("codegen", "default", "causal-lm")
class CodeGenOnnxConfig(_Decoder):
    """CodeGen."""


@register("ctrl", "default", "causal-lm", "sequence-classification")
class CTRLOnnxConfig(_Decoder):
    """CTRL: text steered by a control code, its first token."""


@register("gpt2", "default", "causal-lm", "sequence-classification", "token-classification")
class GPT2OnnxConfig(_Decoder):
    """GPT-2."""


@register("gptj", "default", "causal-lm", "question-answering", "sequence-classification")
class GPTJOnnxConfig(_Decoder):
    """GPT-J: rotary positions, parallel attention and feed-forward."""


@register("gpt-neo", "default", "causal-lm", "sequence-classification")
class GPTNeoOnnxConfig(_Decoder):
    """GPT-Neo: alternating global and local attention."""


@register("gpt-sw3", "default", "causal-lm", "sequence-classification", "token-classification")
class GPTSw3OnnxConfig(_Decoder):
    """GPT-SW3: GPT-2 for the languages of the north."""


@register("mistral", "default", "causal-lm", "question-answering", "sequence-classification", "token-classification")
class MistralOnnxConfig(_Decoder):
    """Mistral: attention in a sliding window, with fewer heads for keys and values."""


@register("openai-gpt", "default", "causal-lm", "sequence-classification")
class OpenAIGPTOnnxConfig(_Decoder):
    """The first GPT."""


@register("opt", "default", "causal-lm", "question-answering", "sequence-classification")
class OPTOnnxConfig(_Decoder):
    """OPT: positions counted by the mask."""


@register("xglm", "default", "causal-lm")
class XGLMOnnxConfig(_Decoder):
    """XGLM: a decoder of many languages."""
