"""The cases: shapes that differ from the traced one, and masks that differ from row to row."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tfexport
from conformance.zoo.tiny import tiny_config
from tests.onnx.declared import GPT2, gpt_like
from tfexport.declarations.architectures import declarations
from tfexport.declarations.features import config_factory
from tfexport.validation import Case, actual_case, case_inputs, flatten_inputs, longest_sequence, standard_cases

PAIRS = [(name, feature) for name, declared in declarations().items() for feature in declared.features]


def _declared(model_type: str, feature: str = "default", **overrides: Any) -> Any:
    config = tiny_config(model_type, feature)
    for name, value in overrides.items():
        setattr(config, name, value)
    return config_factory(model_type, feature)(config)


OF_ONE_LENGTH = {"whisper": "reads 30 seconds, whatever is said", "vision-encoder-decoder": "reads images of one size"}
"""Types whose encoder makes states of one length; the axis is dynamic because a first step has none in its cache."""


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, number))


@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_every_declaration_is_tried_on_shapes_that_were_not_traced(model_type: str, feature: str) -> None:
    """Each axis that a declaration names takes several lengths, also others than the traced one."""
    config = _declared(model_type, feature)
    cases = standard_cases(config)
    assert len(set(cases)) == len(cases) >= 4
    assert len({case.name for case in cases}) == len(cases)
    made = [flatten_inputs(config, case_inputs(config, None, case, "np")) for case in cases]
    traced = flatten_inputs(config, case_inputs(config, None, None, "np"))
    for name, axes in config.inputs.items():
        assert all(list(inputs) == list(config.inputs) for inputs in made)
        for axis, label in axes.items():
            lengths = {inputs[name].shape[axis] for inputs in made}
            if label == "past_encoder_sequence" and model_type in OF_ONE_LENGTH:
                continue
            assert len(lengths) >= 2, (name, label)
            assert lengths - {traced[name].shape[axis]}, (name, label)
    masked = [name for name in config.inputs if name.endswith("attention_mask")]
    sides = {"left"} if any(case.past is not None for case in cases) else {"left", "right"}
    assert {case.padding for case in cases} == (sides | {None} if masked else {None})


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "distilbert"])
def test_rows_of_text(model_type: str) -> None:
    config = _declared(model_type)
    lengths = {case.sequence for case in standard_cases(config)}
    assert config._shortest_sequence_ in lengths
    assert config.default_sequence_length not in lengths
    assert any(length is not None and _is_prime(length) and length > 8 for length in lengths)


@pytest.mark.parametrize("feature", ["default", "multiple-choice"])
def test_masks_differ_from_row_to_row(feature: str) -> None:
    config = _declared("bert", feature)
    for case in standard_cases(config):
        mask = case_inputs(config, None, case, "np")["attention_mask"].reshape(-1, case.sequence)
        if case.padding is None:
            assert mask.all()
            continue
        rows = {tuple(row) for row in mask}
        assert case.sequence is not None
        assert len(rows) == min(len(mask), case.sequence - 1) > 1
        assert (mask[:, -1 if case.padding == "right" else 0] == 0).all()
        assert mask.any(axis=1).all()


def test_padding_tokens_stand_where_the_mask_hides_them() -> None:
    config = _declared("bert", pad_token_id=7)
    made = case_inputs(config, None, Case(4, 9, padding="left"), "np")
    assert (made["input_ids"][made["attention_mask"] == 0] == 7).all()
    assert not (made["input_ids"][made["attention_mask"] == 1] == 7).any()


def test_choices_vary() -> None:
    config = _declared("bert", "multiple-choice")
    choices = {case.choices for case in standard_cases(config)}
    assert len(choices) == 3
    assert config.default_num_choices not in choices | {None}
    assert {case.choices for case in standard_cases(_declared("bert"))} == {None}


def test_names() -> None:
    names = [case.name for case in standard_cases(_declared("bert"))]
    assert len(set(names)) == len(names)
    assert "3x13, padded right" in names
    assert "1x2x16" in [case.name for case in standard_cases(_declared("bert", "multiple-choice"))]


@pytest.mark.parametrize(
    ("overrides", "longest"),
    [({"max_position_embeddings": 64}, 62), ({"max_position_embeddings": 8}, 6), ({"max_position_embeddings": 1}, 1)],
)
def test_no_case_is_longer_than_the_models_positions(overrides: dict[str, Any], longest: int) -> None:
    config = _declared("roberta", **overrides)
    assert longest_sequence(config) == longest
    assert max(case.sequence or 0 for case in standard_cases(config)) == min(16, longest)


def test_positions_that_have_no_limit() -> None:
    assert longest_sequence(_declared("bloom")) == 512
    assert longest_sequence(_declared("gpt2")) == 62


class _Static(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch"}}


def test_only_named_axes_vary() -> None:
    cases = standard_cases(_Static(tiny_config("bert")))
    assert {case.sequence for case in cases} == {8}
    assert len({case.batch for case in cases}) > 1


def test_inputs_that_a_declaration_makes_and_does_not_declare_are_left_out() -> None:
    class Wide(tfexport.OnnxConfig):
        inputs = {"attention_mask": {0: "batch", 1: "sequence"}, "input_ids": {0: "batch", 1: "sequence"}}

        def generate_dummy_inputs(self, preprocessor: Any = None, *_: Any, **arguments: Any) -> Any:
            made = super().generate_dummy_inputs(preprocessor, **arguments)
            return {"input_ids": made["input_ids"], "labels": np.zeros(2), "attention_mask": made["attention_mask"]}

    made = case_inputs(Wide(tiny_config("bert")), None, Case(3, 5), "np")
    assert list(made) == ["attention_mask", "input_ids"]


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_tensors_of_a_framework_become_arrays(framework: str) -> None:
    made = case_inputs(gpt_like(tfexport).with_past(GPT2), None, None, framework)
    assert list(made) == ["input_ids", "past_key_values", "attention_mask"]
    assert {type(made["input_ids"]), type(made["past_key_values"][0][1])} == {np.ndarray}
    assert made["past_key_values"][0][0].shape == (2, 4, 10, 8)


def test_padding_does_not_write_into_the_declarations_own_arrays() -> None:
    kept = np.ones((3, 7), np.int64)

    class Constant(tfexport.OnnxConfig):
        inputs = {"input_ids": {0: "batch", 1: "sequence"}, "attention_mask": {0: "batch", 1: "sequence"}}

        def generate_dummy_inputs(self, preprocessor: Any = None, *_: Any, **arguments: Any) -> Any:
            return {"input_ids": kept, "attention_mask": kept}

    made = case_inputs(Constant(tiny_config("bert")), None, Case(3, 7, padding="left"), "np")
    assert made["attention_mask"].min() == 0
    assert kept.all()


def test_a_declaration_that_ignores_the_sizes_is_reported_by_the_shape_it_made() -> None:
    """Peer bug 12: DeBERTa's declaration there drops the sizes, so that every case is the traced shape."""

    class Ignoring(tfexport.OnnxConfig):
        inputs = OrderedDict(input_ids={0: "batch", 1: "sequence"})

        def generate_dummy_inputs(self, preprocessor: Any, *args: Any, **kwargs: Any) -> dict[str, np.ndarray]:
            return {"input_ids": np.ones((2, 8), np.int64)}

    config = Ignoring(SimpleNamespace(vocab_size=9))
    case = Case(3, 13)
    assert actual_case(config, case, case_inputs(config, None, case, "tf")).name == "2x8"
