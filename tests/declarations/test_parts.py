"""The files of an encoder-decoder: names and axes that clients look for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory
from tfexport.declarations.parts import DecoderPart, EncoderPart, parts_of
from tfexport.declarations.with_past import without_past

PARTS = ("encoder_model", "decoder_model", "decoder_with_past_model")
OWN = {0: "batch", 2: "past_decoder_sequence"}
CROSS = {0: "batch", 2: "past_encoder_sequence"}


def _whole(model_type: str, feature: str) -> Any:
    return config_factory(model_type, feature)(tiny_config(model_type, feature))


def test_with_a_cache_there_are_three() -> None:
    parts: Any = parts_of(_whole("t5", "seq2seq-lm-with-past"))
    assert tuple(parts) == PARTS
    encoder, first, later = parts.values()
    text = {0: "batch", 1: "encoder_sequence"}
    assert encoder.inputs == {"input_ids": text, "attention_mask": text}
    assert encoder.outputs == {"last_hidden_state": text}
    assert list(first.inputs.items()) == [
        ("encoder_attention_mask", text),
        ("input_ids", {0: "batch", 1: "decoder_sequence"}),
        ("encoder_hidden_states", text),
    ]
    layers = tiny_config("t5").num_decoder_layers
    names = [
        f"{layer}.{side}.{part}"
        for layer in range(layers)
        for side in ("decoder", "encoder")
        for part in ("key", "value")
    ]
    assert list(first.outputs) == ["logits", *(f"present.{name}" for name in names)]
    assert first.outputs["present.0.decoder.key"] == {0: "batch", 2: "decoder_sequence"}
    assert first.outputs["present.0.encoder.key"] == {0: "batch", 2: "encoder_sequence"}
    past = [f"past_key_values.{name}" for name in names]
    assert list(later.inputs) == ["encoder_attention_mask", "input_ids", *past]
    assert (later.inputs[past[0]], later.inputs[past[2]]) == (OWN, CROSS)
    assert later.inputs["input_ids"] == {0: "batch"}  # one token
    assert list(later.outputs) == ["logits", *(f"present.{name}" for name in names if "encoder" not in name)]


def test_without_a_cache_there_are_two() -> None:
    parts = parts_of(_whole("bart", "seq2seq-lm"))
    assert tuple(parts) == PARTS[:2]
    assert list(parts["decoder_model"].outputs) == ["logits"]
    assert parts["decoder_model"].values_override == {"use_cache": False}


@pytest.mark.parametrize(
    ("model_type", "feature"),
    [
        ("t5", "default-with-past"),
        ("bart", "causal-lm-with-past"),
        ("bart", "question-answering"),
        ("gpt2", "causal-lm"),
    ],
)
def test_a_model_that_does_not_generate_with_an_encoder_is_one_file(model_type: str, feature: str) -> None:
    whole = _whole(model_type, feature)
    assert parts_of(whole) == {"model": whole}


@pytest.mark.parametrize("feature", ["seq2seq-lm", "seq2seq-lm-with-past"])
def test_a_monolith_is_one_file(feature: str) -> None:
    whole = _whole("t5", feature)
    assert parts_of(whole, monolith=True) == {"model": whole}


def test_a_decoder_that_caches_no_cross_attention_reads_the_states_at_each_step() -> None:
    parts = parts_of(_whole("vision-encoder-decoder", "vision2seq-lm-with-past"))
    later = parts["decoder_with_past_model"]
    assert "encoder_hidden_states" in later.inputs
    assert later.inputs["past_key_values.0.key"] == OWN
    assert not any("encoder.key" in name for name in later.inputs)


def test_an_encoder_without_a_mask_has_a_decoder_without_one() -> None:
    parts = parts_of(_whole("whisper", "speech2seq-lm-with-past"))
    assert list(parts["encoder_model"].inputs) == ["input_features"]
    assert list(parts["decoder_model"].inputs) == ["input_ids", "encoder_hidden_states"]


def test_other_inputs_of_the_encoder_are_its_own() -> None:
    parts = parts_of(_whole("led", "seq2seq-lm-with-past"))
    assert list(parts["encoder_model"].inputs) == ["input_ids", "attention_mask", "global_attention_mask"]
    assert next(iter(parts["decoder_model"].inputs)) == "encoder_attention_mask"


def test_the_arguments_of_the_model() -> None:
    """The whole model is called, with states in place of the encoder: zeros where the cache holds their keys and values."""
    whole = _whole("bart", "seq2seq-lm-with-past")
    mask, ids, states, key = (object() for _ in range(4))
    asked: list[Any] = []

    def zeros(tensor: Any, width: int) -> str:
        asked.append((tensor, width))
        return "zeros"

    first = DecoderPart(whole, reads_cache=False, returns_cache=True)
    inputs = {"encoder_attention_mask": mask, "input_ids": ids, "encoder_hidden_states": states}
    assert first._arguments_(inputs, zeros) == {
        "attention_mask": mask,
        "decoder_input_ids": ids,
        "encoder_outputs": (states,),
    }
    later = DecoderPart(whole, reads_cache=True, returns_cache=True)
    cache = ((None, None, key, None),)
    made = later._arguments_({"encoder_attention_mask": mask, "input_ids": ids, "past_key_values": cache}, zeros)
    assert made["encoder_outputs"] == ("zeros",)
    assert made["past_key_values"] is cache
    assert asked == [(key, 24)]


def test_inputs_of_the_parts_are_made_of_those_of_the_whole() -> None:
    whole = _whole("bart", "seq2seq-lm-with-past")
    made = {name: np.full((2, 5), index) for index, name in enumerate(without_past(whole).inputs)}
    assert list(EncoderPart(whole).inputs_of(made)) == ["input_ids", "attention_mask"]
    states = np.zeros((2, 5, 24), np.float32)
    later = DecoderPart(whole, reads_cache=True, returns_cache=True).inputs_of(made, states, past=4)
    assert list(later) == ["encoder_attention_mask", "input_ids", "past_key_values"]
    np.testing.assert_array_equal(later["input_ids"], [[2], [2]])
    own_key, own_value, cross_key, cross_value = later["past_key_values"][2]
    assert own_key.shape == own_value.shape == (2, 3, 4, 8)
    assert cross_key.shape == cross_value.shape == (2, 3, 5, 8)
    assert np.ptp([own_key, own_value]) > 0
