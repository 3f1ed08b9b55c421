"""The options of an export: one keyword each, validated once, in one group each."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from transformers.utils import TensorType

from tfexport.cli import app
from tfexport.errors import InputsError, OpsetError, TfExportError, UnknownFrameworkError
from tfexport.pipeline.export import export_model
from tfexport.pipeline.options import ExportKeywords, ExportOptions, export_options

RESERVED = {"transforms"}


def _fields() -> list[str]:
    return [field.name for group in vars(ExportOptions()).values() for field in fields(group)]


def test_each_field_of_a_group_is_a_keyword() -> None:
    """A keyword that no group has would be dropped without a word; one that two groups have would be ambiguous."""
    assert len(_fields()) == len(set(_fields()))
    assert set(_fields()) - RESERVED == ExportKeywords.__optional_keys__


def test_each_keyword_is_an_option_of_the_command_line() -> None:
    command = typer.main.get_command(app).commands["export"]  # type: ignore[attr-defined]
    assert ExportKeywords.__optional_keys__ <= {parameter.name for parameter in command.params}


def test_each_keyword_is_documented() -> None:
    assert [
        name for name in ExportKeywords.__optional_keys__ if f"\n        {name} (" not in str(export_model.__doc__)
    ] == []


def test_options_reach_their_groups() -> None:
    options = export_options(
        feature="masked-lm",
        framework="tf",
        model_type="bert",
        preprocessor="tokenizer",
        cache_dir=Path("hub"),
        opset=17,
        monolith=True,
        genai=True,
        atol=1e-3,
        rtol=0,
        allow_missing_weights=True,
        keep_invalid=True,
        trust=True,
        input_shapes={"x": [1, "?", "time"]},
    )
    selection, writing, acceptance = options.selection, options.writing, options.acceptance
    assert tuple(vars(selection).values()) == ("masked-lm", "tf", "bert", "tokenizer", "hub")
    assert tuple(vars(writing).values()) == (17, True, True, ())
    assert tuple(vars(acceptance).values()) == (1e-3, 0.0, True, True)
    assert options.signature.trust
    assert options.signature.input_shapes == {"x": (1, None, "time")}


def test_defaults() -> None:
    assert export_options() == ExportOptions()
    assert export_options(framework=None, opset=None, atol=None, rtol=None, cache_dir=None) == ExportOptions()


def test_tensor_types_of_transformers_name_a_framework() -> None:
    assert export_options(framework=TensorType.PYTORCH).selection.framework == "pt"


def test_numbers_of_numpy_are_numbers() -> None:
    keywords: dict[str, Any] = {"opset": np.int64(17), "atol": np.float32(0.5)}
    options = export_options(**keywords)
    assert type(options.writing.opset) is int
    assert type(options.acceptance.atol) is float


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"framework": "jax"}, UnknownFrameworkError, "'jax' is not a framework"),
        ({"preprocessor": "magic"}, InputsError, "'magic' is not a kind of preprocessor.*--preprocessor"),
        ({"preprocessor": None}, InputsError, "None is not a kind of preprocessor"),
        ({"opset": 6}, OpsetError, "opset 6"),
        ({"opset": onnx.defs.onnx_opset_version() + 1}, OpsetError, "cannot be written"),
        ({"opset": "18"}, OpsetError, r"the opset is '18'; expected a whole number \(--opset"),
        ({"opset": 17.5}, OpsetError, "the opset is 17.5; expected a whole number"),
        ({"atol": float("nan")}, InputsError, r"atol is nan; expected a finite number.*\(--atol"),
        ({"atol": float("inf")}, InputsError, "atol is inf"),
        ({"rtol": -1}, InputsError, "rtol is -1; expected"),
        ({"rtol": "1e-4"}, InputsError, "rtol is '1e-4'; expected"),
        ({"input_shapes": {"x": [0]}}, InputsError, "the length 0 for an axis of x"),
        ({"axis_names": {"x": ["two words"]}}, InputsError, "'two words' as the name of an axis of x"),
        ({"inputs_as_nchw": "image"}, InputsError, "'image' is one text; expected a list of names"),
    ],
)
def test_what_is_not_valid(keywords: dict[str, Any], error: type[TfExportError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        export_options(**keywords)
    assert "\n" not in str(caught.value)


ODD: tuple[Any, ...] = (
    5, -1, 0.5, float("nan"), float("inf"), 10**400, True, None, "a text", "", "a\0b", b"bytes", [], [[]], [5], {}, {"x": "abc"},
    {"x": [-1.5]}, {"x": [10**12]}, {"x": {"y": 1}}, {5: [1]}, {"x": [[1]]}, {"x": [None, b"x"]}, {"x": 5}, object(), np.ones(3),
)  # fmt: skip
ACCEPTED: dict[str, tuple[Any, ...]] = {
    "feature": (str,),
    "framework": (type(None),),
    "model_type": (str, type(None)),
    "cache_dir": (str, type(None)),
    "opset": (type(None),),
    "atol": (int, float, type(None)),
    "rtol": (int, float, type(None)),
    "signature": (str, type(None)),
    "tag": (str, type(None)),
    "input_shapes": (dict, type(None)),
    "axis_names": (dict, type(None)),
    "inputs_as_nchw": (list, dict, tuple),
    "outputs_as_nchw": (list, dict, tuple),
}
"""Types of values among them that a keyword accepts; it need not accept every value of a type. The others are flags."""


@pytest.mark.parametrize("name", sorted(ExportKeywords.__optional_keys__))
def test_odd_values(name: str) -> None:
    """Each is accepted, or refused by one error of ours, in one line of bounded length."""
    for odd in ODD:
        keywords: dict[str, Any] = {name: odd}
        refused = _refusal(keywords)
        if refused is None:
            assert isinstance(odd, ACCEPTED.get(name, (bool,))), odd
        else:
            assert "\n" not in refused
            assert len(refused) < 600


def _refusal(keywords: dict[str, Any]) -> str | None:
    try:
        export_options(**keywords)
    except TfExportError as error:
        return str(error)
    return None


@pytest.mark.parametrize("odd", [5, None, b"out", [], "a\0b", True])
def test_an_odd_output(odd: Any) -> None:
    with pytest.raises(InputsError, match="output is .*; expected a path"):
        export_model("nowhere", odd)


@pytest.mark.parametrize("name", ["fetaure", "transforms", "signature_options"])
def test_what_is_not_an_option(name: str) -> None:
    keywords: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        export_options(**keywords)
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        export_model("nowhere", "out", **keywords)


def test_the_public_function_takes_keywords_only() -> None:
    assert list(signature(export_model).parameters) == ["model", "output", "progress", "options"]
