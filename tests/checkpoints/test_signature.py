"""What a user says about the tensors of a model that declares itself."""

from __future__ import annotations

from typing import Any

import pytest

from tfexport.checkpoints.signature import (
    NCHW,
    NHWC,
    SignatureOptions,
    TensorSpec,
    by_name,
    check_names,
    permuted,
    signature_options,
    with_shapes,
)
from tfexport.errors import InputsError

IMAGE = TensorSpec("image", "float32", (None, 64, None, 3))


def _line(caught: pytest.ExceptionInfo[InputsError]) -> str:
    """The message, which is one line."""
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], {}),
        (["image=1,64,?,name"], {"image": ["1", "64", "?", "name"]}),
        (["a=1", "b=?,2"], {"a": ["1"], "b": ["?", "2"]}),
        (["x= 1 , 2 "], {"x": ["1", "2"]}),
        (["image=batch,,time"], {"image": ["batch", "", "time"]}),
        (["scope/x=y:0=4"], {"scope/x=y:0": ["4"]}),  # TensorFlow's names hold nearly anything
        (["count="], {"count": []}),  # a number alone
    ],
)
def test_texts_of_the_command_line(texts: list[str], expected: dict[str, list[str]]) -> None:
    assert by_name(texts, "--input-shape") == expected


@pytest.mark.parametrize("text", ["image", "1,64,64,3", "=1,2", ""])
def test_a_text_of_another_form(text: str) -> None:
    with pytest.raises(InputsError) as caught:
        by_name([text], "--input-shape")
    assert f"--input-shape {text!r} is not of the form NAME=" in _line(caught)


def test_a_name_that_is_given_twice() -> None:
    with pytest.raises(InputsError) as caught:
        by_name(["x=1,2", "y=3", "x=4,5"], "--input-shape")
    assert "--input-shape names x twice" in _line(caught)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["1", "64", "?", "width"], (1, 64, None, "width")),
        ([1, 64, None, "width"], (1, 64, None, "width")),
        (["-1", "None", "none", "*", -1], (None, None, None, None, None)),
        ([], ()),
    ],
)
def test_lengths(given: list[Any], expected: tuple[Any, ...]) -> None:
    assert signature_options(input_shapes={"x": given}).input_shapes == {"x": expected}


@pytest.mark.parametrize("length", ["0", "-2", "--5", "1.5", "", "two words", "²", 0, 1.5, "3x"])
def test_a_length_that_is_none(length: Any) -> None:
    with pytest.raises(InputsError) as caught:
        signature_options(input_shapes={"image": [1, length]})
    assert str(length) in _line(caught)
    assert "an axis of image; expected" in _line(caught)


def test_names_of_axes_in_both_forms() -> None:
    options = signature_options(axis_names={"x": {1: "time"}, "y": ["batch", None, "", "?", "width"]})
    assert options.axis_names == {"x": {1: "time"}, "y": {0: "batch", 4: "width"}}


@pytest.mark.parametrize("names", [{"first": "batch"}, {1: "two words"}, ["batch", "64"]])
def test_names_of_axes_that_are_none(names: Any) -> None:
    """A number would be written into the file as the name of an axis, where it reads like a length."""
    with pytest.raises(InputsError) as caught:
        signature_options(axis_names={"x": names})
    assert "an axis of x" in _line(caught)


def test_shapes_fix_what_is_dynamic_and_nothing_else() -> None:
    (spec,) = with_shapes([IMAGE], {"image": (1, None, "width", 3)})
    assert spec == TensorSpec("image", "float32", (1, 64, None, 3))
    assert with_shapes([IMAGE], {}) == (IMAGE,)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 32, None, 3), "[1, 32, ?, 3]"),  # 64 is fixed
        ((None, None, None, 4), "[?, ?, ?, 4]"),
        ((1, 64, 64), "[1, 64, 64]"),
        ((1, 64, 64, 3, 1), "[1, 64, 64, 3, 1]"),
        ((), "[]"),
    ],
)
def test_a_shape_that_contradicts_the_models(shape: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(InputsError) as caught:
        with_shapes([IMAGE], {"image": shape})
    assert f"has the shape {expected} for the input image float32[?, 64, ?, 3]" in _line(caught)


def test_a_shape_of_an_input_that_is_not_there() -> None:
    with pytest.raises(InputsError) as caught:
        with_shapes([IMAGE], {"picture": (1, 64, 64, 3), "image": (1, 64, 64, 3)})
    assert _line(caught) == "--input-shape (input_shapes=...) names picture; the model has image."
    with pytest.raises(InputsError, match=r"--input-shape names x; the model has none\."):
        check_names(["x"], [], "--input-shape")


def test_axes_in_another_order() -> None:
    assert permuted(IMAGE, NCHW).shape == (None, 3, 64, None)
    assert permuted(permuted(IMAGE, NCHW), NHWC) == IMAGE
    with pytest.raises(InputsError) as caught:
        permuted(TensorSpec("tokens", "int32", (None, None)), NCHW)
    assert "tokens int32[?, ?] is not a batch of images" in _line(caught)


def test_options_for_the_manifest_are_those_that_were_given() -> None:
    assert SignatureOptions().as_dict() == {}
    assert signature_options().changed == ()
    options = signature_options(
        trust=True, input_shapes={"x": [1, "?", "time"]}, axis_names={"y": {1: "time"}}, inputs_as_nchw=["x"]
    )
    assert options.as_dict() == {
        "trust": True,
        "input_shapes": {"x": [1, None, "time"]},
        "axis_names": {"y": {"1": "time"}},
        "inputs_as_nchw": ["x"],
    }
