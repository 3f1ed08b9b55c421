"""The parts of an encoder-decoder, each a file of its own: what clients that generate load.

Names and inputs are those that optimum and transformers.js look for. The encoder takes what the whole takes for it; the
decoder takes ``input_ids``, what the encoder made, and the mask of what the encoder read. With a cache the decoder is two
files: one for the first step, which returns the keys and values of the cross attention too, and one for every next
step, which reads them from the past in place of the encoder's states.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.declarations.onnx_config import OnnxConfig, Zeros
from tfexport.declarations.tasks import GENERATING
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast
from tfexport.dummy_inputs import PAST

ENCODER_PART = "encoder_model"
DECODER_PART = "decoder_model"
NEXT_STEP_PART = "decoder_with_past_model"
MERGED_PART = "decoder_model_merged"

ENCODER_STATES = "encoder_hidden_states"
_ENCODER_MASK = "encoder_attention_mask"


def parts_of(config: OnnxConfig, monolith: bool = False) -> dict[str, OnnxConfig]:
    """Return a declaration for each exported file, by the file's name without ``.onnx``.

    An encoder-decoder that generates has an encoder, a decoder, and with a cache a decoder for later steps. Every other model
    is one file.

    Args:
        config: the declaration of the model.
        monolith: whether an encoder-decoder is one file, as in ``transformers.onnx``, instead of the files that clients load.
    """
    if (
        monolith
        or not isinstance(config, OnnxSeq2SeqConfigWithPast)
        or not config.exported_in_parts
        or config.decoder_alone
        or config.task not in GENERATING
    ):
        return {"model": config}
    parts: dict[str, OnnxConfig] = {
        ENCODER_PART: EncoderPart(config),
        DECODER_PART: DecoderPart(config, reads_cache=False, returns_cache=config.use_past),
    }
    if config.use_past:
        parts[NEXT_STEP_PART] = DecoderPart(config, reads_cache=True, returns_cache=True)
    return parts


class _Part(OnnxConfig):
    """A part of an encoder-decoder.

    Args:
        whole: the declaration of the whole.
    """

    def __init__(self, whole: OnnxSeq2SeqConfigWithPast) -> None:
        super().__init__(whole._config, task=whole.task)
        self.whole = whole.without_past()

    @property
    def atol_for_validation(self) -> float:
        return self.whole.atol_for_validation

    @property
    def default_onnx_opset(self) -> int:
        return self.whole.default_onnx_opset

    @property
    def caveats(self) -> tuple[str, ...]:
        return self.whole.caveats


class EncoderPart(_Part):
    """The encoder alone."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict((name, axes) for name, axes in self.whole.inputs.items() if not name.startswith("decoder_"))

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict(last_hidden_state=dict(self.whole.encoder_states))

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        return self.whole.values_override

    def called(self, model: Any) -> Any:
        return model.get_encoder()

    def inputs_of(self, whole_inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Its inputs among those of the whole."""
        return {name: whole_inputs[name] for name in self.inputs}


class DecoderPart(_Part):
    """The decoder with its head, fed with what the encoder made.

    Args:
        whole: the declaration of the whole.
        reads_cache: whether the cache is an input: the file for every step but the first.
        returns_cache: whether the cache is an output.
    """

    def __init__(self, whole: OnnxSeq2SeqConfigWithPast, *, reads_cache: bool, returns_cache: bool) -> None:
        super().__init__(whole)
        self.reads_cache = reads_cache
        self.returns_cache = returns_cache
        self.encoder = EncoderPart(whole)

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        whole = self.whole
        inputs: OrderedDict[str, Mapping[int, str]] = OrderedDict()
        if whole.decoder_reads_encoder_mask:
            inputs[_ENCODER_MASK] = dict(whole.inputs["attention_mask"])
        inputs["input_ids"] = {0: "batch"} if self.reads_cache else {0: "batch", 1: "decoder_sequence"}
        if not (self.reads_cache and whole.caches_cross_attention):
            inputs[ENCODER_STATES] = dict(whole.encoder_states)
        if self.reads_cache:
            whole.fill_with_past_key_values_(inputs, direction="inputs")  # type: ignore[arg-type]
        return inputs

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs: OrderedDict[str, Any] = OrderedDict(copy.deepcopy(dict(self.whole.outputs)))
        if self.reads_cache:
            outputs = OrderedDict((name, {0: axes[0]}) for name, axes in outputs.items())
        if self.returns_cache:
            cache: dict[str, Any] = {}
            self.whole.fill_with_past_key_values_(cache, direction="outputs")
            if self.reads_cache:  # the cross attention's keys and values do not change after the first step
                cache = {name: axes for name, axes in cache.items() if ".encoder." not in name}
            else:
                cache = {name: self._of_the_first_step(name, axes) for name, axes in cache.items()}
            outputs |= cache
        return outputs

    def _of_the_first_step(self, name: str, axes: Mapping[int, str]) -> dict[int, str]:
        """Axes of an output of the cache where there is no past: as long as the texts are."""
        encoder = self.whole.encoder_states.get(1)
        length = {2: encoder} if ".encoder." in name else {2: "decoder_sequence"}
        return {0: axes[0]} | {axis: label for axis, label in length.items() if label is not None}

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        overrides = self.whole.values_override
        return (
            None
            if overrides is None
            else {
                name: self.returns_cache if name.endswith("use_cache") else value for name, value in overrides.items()
            }
        )

    def arguments(self, inputs: Mapping[str, Any], zeros: Zeros) -> dict[str, Any]:
        arguments = {"decoder_input_ids": inputs["input_ids"]}
        if _ENCODER_MASK in inputs:
            arguments["attention_mask"] = inputs[_ENCODER_MASK]
        if self.reads_cache:
            arguments[PAST] = inputs[PAST]
        states = inputs.get(ENCODER_STATES)
        if states is None:  # the model asks for states that it does not read: the past has what it made of them
            states = zeros(inputs[PAST][0][2], self.whole.encoder_width)
        arguments["encoder_outputs"] = (states,)
        return arguments

    def inputs_of(self, whole_inputs: Mapping[str, Any], states: np.ndarray, past: int) -> dict[str, Any]:
        """Its inputs, made of those of the whole and of what the encoder made of them.

        Args:
            whole_inputs: arrays of the whole, without past.
            states: what the encoder made of them, float32 ``(batch, encoder sequence, width)``.
            past: tokens in the cache, for the file that reads one.
        """
        inputs: dict[str, Any] = {}
        for name in self.inputs:
            if name == _ENCODER_MASK:
                inputs[name] = whole_inputs["attention_mask"]
            elif name == "input_ids":
                ids = whole_inputs["decoder_input_ids"]
                inputs[name] = ids[:, -1:] if self.reads_cache else ids
            elif name == ENCODER_STATES:
                inputs[name] = states
        if self.reads_cache:
            inputs[PAST] = self.whole.random_cache(len(states), past, states.shape[1])
        return inputs

    def flatten_output_collection_property(self, name: str, field: Any) -> dict[str, Any]:  # type: ignore[override]
        return self.whole.flatten_output_collection_property(name, field)
