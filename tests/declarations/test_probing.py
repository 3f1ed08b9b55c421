"""What a model takes, found out by running it: the models here are functions of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.declarations.functions import FIXED, IDS, IMAGE, MASK, Arrays, declared, lengths_of, pooled
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import InputsError
from tfexport.validation import case_inputs, standard_cases

# Lengths -------------------------------------------------------------------------------------------------------------


def test_every_length_is_tried_apart() -> None:
    config = declared([IMAGE], lambda arrays: arrays["image"] * 2)
    assert config.inputs == {"image": {0: "batch", 1: "image_axis_1", 2: "image_axis_2"}}
    assert config.outputs == {"output": {0: "batch", 1: "image_axis_1", 2: "image_axis_2"}}
    assert config._caveats_ == ()
    assert {1, 2, 3} <= lengths_of(config, "batch")
    heights = lengths_of(config, "image_axis_1")
    assert min(heights) >= 16 and any(height % 2 for height in heights)
    first = config._lengths_[0]
    assert first["image_axis_1"] != first["image_axis_2"]  # axes that are mixed up show
    assert any(each["image_axis_1"] != first["image_axis_1"] for each in config._lengths_)


def test_multiples_of_sixteen() -> None:
    config = declared([IMAGE], lambda arrays: np.repeat(pooled(arrays["image"], 16), 16, 1))
    assert config.outputs == {"output": {0: "batch", 1: "image_axis_1", 2: "output_axis_2"}}
    for label in ("image_axis_1", "image_axis_2"):
        lengths = lengths_of(config, label)
        assert len(lengths) > 1 and all(length % 16 == 0 for length in lengths)
        assert any(length % 32 for length in lengths)
        assert f"the axis {label} must be a multiple of 16: the model fails on the other lengths that were tried." in (
            config._caveats_
        )
    assert len(config._caveats_) == 2


def test_units_of_one_axis_alone() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["x"].reshape(len(arrays["x"]), -1, 4, arrays["x"].shape[2])

    config = declared([TensorSpec("x", "float32", (None, None, None))], run)
    assert all(each["x_axis_1"] % 4 == 0 for each in config._lengths_)
    assert any(each["x_axis_2"] % 4 for each in config._lengths_)
    assert config._caveats_ == (
        "the axis x_axis_1 must be a multiple of 4: the model fails on the other lengths that were tried.",
    )


def test_a_shortest_length() -> None:
    """A kernel of 50: shorter rows have nothing left."""

    def run(arrays: Arrays) -> np.ndarray:
        sums: np.ndarray = np.lib.stride_tricks.sliding_window_view(arrays["x"], 50, axis=1).sum(-1)
        return sums

    config = declared([TensorSpec("x", "float32", (None, None, 2))], run)
    assert min(lengths_of(config, "x_axis_1")) >= 50
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}} and config._caveats_ == ()


def test_outputs_are_not_empty_where_the_model_can_help_it() -> None:
    """What is compared on no elements agrees with anything: a sound must be longer than a frame."""

    def frames(arrays: Arrays) -> np.ndarray:
        count = max(0, 1 + (len(arrays["waveform"]) - 400) // 160)
        return np.stack([arrays["waveform"][160 * k : 160 * k + 400] for k in range(count)] or [np.zeros(400)])[:count]

    config = declared([TensorSpec("waveform", "float32", (None,))], frames)
    assert min(lengths_of(config, "batch")) >= 400
    assert config.outputs == {"output": {0: "output_axis_0"}}


def test_outputs_may_be_empty_where_it_cannot() -> None:
    """A detector that finds nothing in zeros."""

    def run(arrays: Arrays) -> np.ndarray:
        return np.argwhere(arrays["x"][:, 0] > 0).astype(np.int64)

    config = declared([FIXED], run)
    assert config.inputs == {"x": {0: "batch"}} and config.outputs == {"output": {0: "output_axis_0"}}


def test_images_of_many_channels_are_tried_all_the_same() -> None:
    spec = TensorSpec("maps", "float32", (None, None, None, 256))
    config = declared([spec], lambda arrays: arrays["maps"][..., :1])
    assert config.outputs == {"output": {0: "batch", 1: "maps_axis_1", 2: "maps_axis_2"}}


def test_a_shape_that_nothing_but_the_user_knows() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["x"].reshape(len(arrays["x"]), 37)

    specs = [TensorSpec("x", "float32", (None, None))]
    with pytest.raises(InputsError) as caught:
        declared(specs, run)
    text = str(caught.value)
    assert "the model takes x float32[?, ?], and fails on every shape that was tried: it fails: cannot reshape" in text
    assert "--input-shape NAME=FIRST,SECOND" in text and "input_shapes=" in text and "\n" not in text
    config = declared([TensorSpec("x", "float32", (None, 37))], run)
    assert config.inputs == {"x": {0: "batch"}}


def test_a_model_that_fails_on_everything() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        raise ValueError("never")

    for spec in (FIXED, IMAGE, TensorSpec("n", "int32", ()), TensorSpec("x", "float32", (2, 3))):
        with pytest.raises(InputsError, match=r"fails on every shape that was tried: it fails: never\. Give a shape"):
            declared([spec], run)


@pytest.mark.parametrize("length", [5, 2])
def test_an_axis_that_is_declared_dynamic_and_takes_one_length(length: int) -> None:
    axis = 1 if length == 5 else 0

    def run(arrays: Arrays) -> np.ndarray:
        if arrays["x"].shape[axis] != length:
            raise ValueError(f"expected {length}")
        return arrays["x"]

    with pytest.raises(InputsError) as caught:
        declared([TensorSpec("x", "float32", (None, None))], run)
    name = "batch" if axis == 0 else "x_axis_1"
    assert f"the model declares the axis {name} dynamic, and takes only the length {length}" in str(caught.value)
    assert "--input-shape" in str(caught.value) and "\n" not in str(caught.value)


# Axes of several tensors ---------------------------------------------------------------------------------------------


def test_axes_that_must_be_as_long_as_each_other() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        if arrays["token_ids"].shape != arrays["padding_mask"].shape:
            raise ValueError("shapes differ")
        return (arrays["token_ids"] * arrays["padding_mask"])[..., None].repeat(4, -1)

    config = declared([IDS, MASK], run)
    axes = {0: "batch", 1: "token_ids_axis_1"}
    assert config.inputs == {"token_ids": axes, "padding_mask": axes}
    assert config.outputs == {"output": axes}
    for case in standard_cases(config):
        arrays = case_inputs(config, None, case, "tf")
        assert arrays["token_ids"].shape == arrays["padding_mask"].shape


def test_axes_that_are_independent_stay_so() -> None:
    specs = [TensorSpec("left", "float32", (None, None, 4)), TensorSpec("right", "float32", (None, None, 4))]
    config = declared(specs, lambda arrays: arrays["left"] @ arrays["right"].transpose(0, 2, 1))
    assert config.inputs == {"left": {0: "batch", 1: "left_axis_1"}, "right": {0: "batch", 1: "right_axis_1"}}
    assert config.outputs == {"output": {0: "batch", 1: "left_axis_1", 2: "right_axis_1"}}
    assert any(each["left_axis_1"] > each["right_axis_1"] for each in config._lengths_) or any(
        each["left_axis_1"] < each["right_axis_1"] for each in config._lengths_
    )


@pytest.mark.parametrize("stride", [2, 3, 160])
def test_an_axis_that_is_strided_has_a_name_of_its_own(stride: int) -> None:
    """One element more is not enough to tell: five in steps of two are as many as six."""
    spec = TensorSpec("x", "float32", (None, None, 2))
    config = declared([spec], lambda arrays: arrays["x"][:, ::stride])
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}}


def test_strides_of_several_outputs() -> None:
    """The first changes with any length, the second with every fourth."""
    spec = TensorSpec("x", "float32", (None, None, 2))
    config = declared(
        [spec], lambda arrays: {"fine": arrays["x"], "coarse": arrays["x"][:, ::4], "one": arrays["x"][0, 0]}
    )
    assert config.outputs == {
        "fine": {0: "batch", 1: "x_axis_1"},
        "coarse": {0: "batch", 1: "coarse_axis_1"},
        "one": {},
    }


def test_an_axis_of_two_others() -> None:
    config = declared([IDS], lambda arrays: arrays["token_ids"].reshape(-1, 1))
    assert config.outputs == {"output": {0: "output_axis_0"}}


def test_an_axis_that_is_longer_by_one() -> None:
    config = declared([IDS], lambda arrays: np.pad(arrays["token_ids"], ((0, 0), (0, 1))))
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}}


def test_an_axis_that_depends_on_values() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["scores"][arrays["scores"] > 0.5]

    config = declared([TensorSpec("scores", "float32", (1, 100))], run)
    assert config.inputs == {"scores": {}}
    assert config.outputs == {"output": {0: "output_axis_0"}}
    assert config._lengths_ == ({},)


def test_an_output_without_any_dynamic_axis() -> None:
    config = declared([FIXED], lambda arrays: {"sum": arrays["x"].sum(), "weights": np.ones((2, 3))})
    assert config.outputs == {"sum": {}, "weights": {}}


# Names that a user gives ---------------------------------------------------------------------------------------------


def test_names_of_the_users() -> None:
    specs = [IMAGE, TensorSpec("scale", "float32", (None,))]
    config = declared(
        specs,
        lambda arrays: {
            "big": arrays["image"] * arrays["scale"][:, None, None, None],
            "small": arrays["image"][:, ::2],
        },
        axis_names={"image": ["n", "height", "width"], "small": {1: "half"}},
    )
    assert config.inputs == {"image": {0: "n", 1: "height", 2: "width"}, "scale": {0: "n"}}
    assert config.outputs == {"big": {0: "n", 1: "height", 2: "width"}, "small": {0: "n", 1: "half", 2: "width"}}
    assert {1, 2, 3} <= lengths_of(config, "n")  # it is a batch under any name, and not made of 16 images
    assert config._caveats_ == ()


def test_names_in_a_shape() -> None:
    config = declared([IDS], lambda arrays: arrays["token_ids"], input_shapes={"token_ids": ["rows", "time"]})
    assert config.inputs == {"token_ids": {0: "rows", 1: "time"}} and config.outputs["output"] == {0: "rows", 1: "time"}


def test_one_name_for_two_axes_makes_them_as_long_as_each_other() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["image"] + arrays["image"].transpose(0, 2, 1, 3)

    with pytest.raises(InputsError, match="fails on every shape"):
        declared([IMAGE], run)
    config = declared([IMAGE], run, axis_names={"image": {1: "side", 2: "side"}})
    assert config.inputs == {"image": {0: "batch", 1: "side", 2: "side"}}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"picture": ["n"]}, "(axis_names=...) names picture; the model has x, output"),
        ({"x": ["n", "features"]}, "(axis_names=...) names axis 1 of x, which is not dynamic"),
        ({"x": {7: "far"}}, "names axis 7 of x, which is not dynamic; its dynamic axes are 0"),
        ({"output": {1: "features"}}, "(axis_names=...) names axis 1 of output"),
    ],
)
def test_names_of_what_is_not_there(names: Any, message: str) -> None:
    with pytest.raises(InputsError) as caught:
        declared([FIXED], lambda arrays: arrays["x"], axis_names=names)
    assert message in str(caught.value) and "\n" not in str(caught.value)
