"""Declarations with a key-value cache as a user of ``transformers.onnx`` writes them, over the base classes of either library."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from transformers import BartConfig, GPT2Config, T5Config

GPT2 = GPT2Config(vocab_size=99, n_embd=32, n_layer=3, n_head=4, n_positions=64)
T5 = T5Config(vocab_size=99, d_model=32, d_kv=12, num_layers=2, num_decoder_layers=5, num_heads=3, d_ff=37)
BART = BartConfig(
    vocab_size=99, d_model=24, encoder_layers=5, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=6
)


def gpt_like(library: ModuleType) -> type[Any]:
    """Return a decoder's declaration over the base class of a library."""

    class GptLike(library.OnnxConfigWithPast):  # type: ignore[name-defined, misc]
        @property
        def inputs(self) -> Mapping[str, Mapping[int, str]]:
            inputs: Any = OrderedDict({"input_ids": {0: "batch", 1: "sequence"}})
            if self.use_past:
                self.fill_with_past_key_values_(inputs, direction="inputs")
                inputs["attention_mask"] = {0: "batch", 1: "past_sequence + sequence"}
            else:
                inputs["attention_mask"] = {0: "batch", 1: "sequence"}
            made: Mapping[str, Mapping[int, str]] = inputs
            return made

        @property
        def num_layers(self) -> int:
            return int(self._config.n_layer)

        @property
        def num_attention_heads(self) -> int:
            return int(self._config.n_head)

    return GptLike


def t5_like(library: ModuleType) -> type[Any]:
    """Return an encoder-decoder's declaration over the base class of a library."""

    class T5Like(library.OnnxSeq2SeqConfigWithPast):  # type: ignore[name-defined, misc]
        @property
        def inputs(self) -> Mapping[str, Mapping[int, str]]:
            inputs: Any = OrderedDict(
                input_ids={0: "batch", 1: "encoder_sequence"}, attention_mask={0: "batch", 1: "encoder_sequence"}
            )
            if self.use_past:
                inputs["decoder_input_ids"] = {0: "batch"}
                inputs["decoder_attention_mask"] = {0: "batch", 1: "past_decoder_sequence + sequence"}
                self.fill_with_past_key_values_(inputs, direction="inputs")
            else:
                inputs["decoder_input_ids"] = {0: "batch", 1: "decoder_sequence"}
                inputs["decoder_attention_mask"] = {0: "batch", 1: "decoder_sequence"}
            made: Mapping[str, Mapping[int, str]] = inputs
            return made

    return T5Like
