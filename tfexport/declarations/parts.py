"""Parts of an encoder-decoder, one file each, for clients that generate text.

Names and inputs are those that optimum and transformers.js look for. The encoder takes the encoder's inputs of the whole
model. The decoder takes ``input_ids``, the encoder's output, and the mask of the encoder's input. With a cache the decoder is
two files. The first step's file also returns the keys and values of the cross attention. The file of later steps reads them
from the past, in place of the encoder's output.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.declarations.onnx_config import OnnxConfig, Zeros
from tfexport.declarations.tasks import GENERATING
from tfexport.declarations.with_past import (
    OnnxSeq2SeqConfigWithPast,
    caches_cross_attention,
    encoder_config,
    random_cache,
    without_past,
)
from tfexport.dummy_inputs import PAST

ENCODER_PART = "encoder_model"
DECODER_PART = "decoder_model"
NEXT_STEP_PART = "decoder_with_past_model"
MERGED_PART = "decoder_model_merged"

ENCODER_STATES = "encoder_hidden_states"
_ENCODER_MASK = "encoder_attention_mask"


def parts_of(config: OnnxConfig, monolith: bool = False) -> dict[str, OnnxConfig]:
    """Return a declaration for each exported file, by the file's name without ``.onnx``.

    An encoder-decoder that generates has an encoder and a decoder, and with a cache also a decoder for later steps. Every other
    model is one file.

    Args:
        config: the declaration of the model.
        monolith: whether an encoder-decoder is one file, as in ``transformers.onnx``, instead of the files that clients load.
    """
    if (
        monolith
        or not isinstance(config, OnnxSeq2SeqConfigWithPast)
        or not config._exported_in_parts_
        or config._one_side_only_
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
    """Declaration of a part of an encoder-decoder.

    Args:
        whole: the declaration of the whole model.
    """

    def __init__(self, whole: OnnxSeq2SeqConfigWithPast) -> None:
        super().__init__(whole._config, task=whole.task)
        self.whole = without_past(whole)

    @property
    def atol_for_validation(self) -> float:
        return self.whole.atol_for_validation

    @property
    def default_onnx_opset(self) -> int:
        return self.whole.default_onnx_opset

    @property
    def _caveats_(self) -> tuple[str, ...]:
        return self.whole._caveats_


class EncoderPart(_Part):
    """Declaration of the encoder."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict((name, axes) for name, axes in self.whole.inputs.items() if not name.startswith("decoder_"))

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict(last_hidden_state=dict(self.whole._encoder_states_))

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        return self.whole.values_override

    def _submodel_(self, model: Any) -> Any:
        return model.get_encoder()

    def inputs_of(self, whole_inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the encoder's inputs among those of the whole model."""
        return {name: whole_inputs[name] for name in self.inputs}


class DecoderPart(_Part):
    """Declaration of the decoder with its head, which reads the encoder's output.

    Args:
        whole: the declaration of the whole model.
        reads_cache: whether the cache is an input, as in the file for all steps after the first.
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
        if "attention_mask" in whole.inputs:
            inputs[_ENCODER_MASK] = dict(whole.inputs["attention_mask"])
        inputs["input_ids"] = {0: "batch"} if self.reads_cache else {0: "batch", 1: "decoder_sequence"}
        if not (self.reads_cache and caches_cross_attention(whole)):
            inputs[ENCODER_STATES] = dict(whole._encoder_states_)
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
        """Return the axes of a cached output of the first step, which is as long as the texts."""
        encoder = self.whole._encoder_states_.get(1)
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

    def _arguments_(self, inputs: Mapping[str, Any], zeros: Zeros) -> dict[str, Any]:
        arguments = {"decoder_input_ids": inputs["input_ids"]}
        if _ENCODER_MASK in inputs:
            arguments["attention_mask"] = inputs[_ENCODER_MASK]
        if self.reads_cache:
            arguments[PAST] = inputs[PAST]
        states = inputs.get(ENCODER_STATES)
        if states is None:  # the model requires states, but reads the keys and values that the past holds for them
            states = zeros(inputs[PAST][0][2], int(encoder_config(self._config).hidden_size))
        arguments["encoder_outputs"] = (states,)
        return arguments

    def inputs_of(self, whole_inputs: Mapping[str, Any], states: np.ndarray, past: int) -> dict[str, Any]:
        """Return the decoder's inputs, made from those of the whole model and from the encoder's output.

        Args:
            whole_inputs: arrays of the whole model, without past.
            states: the encoder's output for them, float32 ``(batch, encoder sequence, width)``.
            past: tokens in the cache, where the file reads one.
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
            inputs[PAST] = random_cache(self.whole, len(states), past, states.shape[1])
        return inputs

    def flatten_output_collection_property(self, name: str, field: Any) -> dict[str, Any]:  # type: ignore[override]
        return self.whole.flatten_output_collection_property(name, field)
