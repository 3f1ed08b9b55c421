"""What a model takes, found out by running it: the models here are functions of NumPy arrays."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tfexport.checkpoints.signature import TensorSpec, signature_options
from tfexport.declarations.from_signature import SignatureConfig
from tfexport.declarations.probing import declare
from tfexport.errors import InputsError, ProcessError, TracingError
from tfexport.validation import case_inputs, standard_cases, thorough_cases

Arrays = Mapping[str, np.ndarray]
IMAGE = TensorSpec("image", "float32", (None, None, None, 3))
IDS = TensorSpec("token_ids", "int32", (None, None))
MASK = TensorSpec("padding_mask", "int32", (None, None))
FIXED = TensorSpec("x", "float32", (None, 8))


def _declared(specs: list[TensorSpec], run: Callable[[Arrays], Any], **options: Any) -> SignatureConfig:
    """The declaration of a function that returns arrays by name, or one array."""

    def called(arrays: Arrays) -> Arrays:
        for spec in specs:
            fixed = [(own, asked) for own, asked in zip(spec.shape, arrays[spec.name].shape, strict=True) if own]
            assert all(own == asked for own, asked in fixed) and arrays[spec.name].dtype == spec.dtype
        try:
            outputs = run(arrays)
        except (ValueError, IndexError) as error:
            raise TracingError(f"it fails: {error}") from error
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    return declare(specs, called, signature_options(**options), "the model")


def _pooled(images: np.ndarray, unit: int) -> np.ndarray:
    """Means of squares: fails where the image is not made of whole ones, as reshaping does."""
    batch, height, width, channels = images.shape
    means: np.ndarray = images.reshape(batch, height // unit, unit, width // unit, unit, channels).mean((2, 4))
    return means


def _lengths_of(config: SignatureConfig, label: str) -> set[int]:
    return {lengths[label] for lengths in config._lengths_}


# Lengths -------------------------------------------------------------------------------------------------------------


def test_every_length_is_tried_apart() -> None:
    config = _declared([IMAGE], lambda arrays: arrays["image"] * 2)
    assert config.inputs == {"image": {0: "batch", 1: "image_axis_1", 2: "image_axis_2"}}
    assert config.outputs == {"output": {0: "batch", 1: "image_axis_1", 2: "image_axis_2"}}
    assert config._caveats_ == ()
    assert {1, 2, 3} <= _lengths_of(config, "batch")
    heights = _lengths_of(config, "image_axis_1")
    assert min(heights) >= 16 and any(height % 2 for height in heights)
    first = config._lengths_[0]
    assert first["image_axis_1"] != first["image_axis_2"]  # axes that are mixed up show
    assert any(each["image_axis_1"] != first["image_axis_1"] for each in config._lengths_)


def test_multiples_of_sixteen() -> None:
    config = _declared([IMAGE], lambda arrays: np.repeat(_pooled(arrays["image"], 16), 16, 1))
    assert config.outputs == {"output": {0: "batch", 1: "image_axis_1", 2: "output_axis_2"}}
    for label in ("image_axis_1", "image_axis_2"):
        lengths = _lengths_of(config, label)
        assert len(lengths) > 1 and all(length % 16 == 0 for length in lengths)
        assert any(length % 32 for length in lengths)
        assert f"the axis {label} must be a multiple of 16: the model fails on the other lengths that were tried." in (
            config._caveats_
        )
    assert len(config._caveats_) == 2


def test_units_of_one_axis_alone() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["x"].reshape(len(arrays["x"]), -1, 4, arrays["x"].shape[2])

    config = _declared([TensorSpec("x", "float32", (None, None, None))], run)
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

    config = _declared([TensorSpec("x", "float32", (None, None, 2))], run)
    assert min(_lengths_of(config, "x_axis_1")) >= 50
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}} and config._caveats_ == ()


def test_outputs_are_not_empty_where_the_model_can_help_it() -> None:
    """What is compared on no elements agrees with anything: a sound must be longer than a frame."""

    def frames(arrays: Arrays) -> np.ndarray:
        count = max(0, 1 + (len(arrays["waveform"]) - 400) // 160)
        return np.stack([arrays["waveform"][160 * k : 160 * k + 400] for k in range(count)] or [np.zeros(400)])[:count]

    config = _declared([TensorSpec("waveform", "float32", (None,))], frames)
    assert min(_lengths_of(config, "batch")) >= 400
    assert config.outputs == {"output": {0: "output_axis_0"}}


def test_outputs_may_be_empty_where_it_cannot() -> None:
    """A detector that finds nothing in zeros."""

    def run(arrays: Arrays) -> np.ndarray:
        return np.argwhere(arrays["x"][:, 0] > 0).astype(np.int64)

    config = _declared([FIXED], run)
    assert config.inputs == {"x": {0: "batch"}} and config.outputs == {"output": {0: "output_axis_0"}}


def test_images_of_many_channels_are_tried_all_the_same() -> None:
    spec = TensorSpec("maps", "float32", (None, None, None, 256))
    config = _declared([spec], lambda arrays: arrays["maps"][..., :1])
    assert config.outputs == {"output": {0: "batch", 1: "maps_axis_1", 2: "maps_axis_2"}}


def test_a_shape_that_nothing_but_the_user_knows() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["x"].reshape(len(arrays["x"]), 37)

    specs = [TensorSpec("x", "float32", (None, None))]
    with pytest.raises(InputsError) as caught:
        _declared(specs, run)
    text = str(caught.value)
    assert "the model takes x float32[?, ?], and fails on every shape that was tried: it fails: cannot reshape" in text
    assert "--input-shape NAME=FIRST,SECOND" in text and "input_shapes=" in text and "\n" not in text
    config = _declared([TensorSpec("x", "float32", (None, 37))], run)
    assert config.inputs == {"x": {0: "batch"}}


def test_a_model_that_fails_on_everything() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        raise ValueError("never")

    for spec in (FIXED, IMAGE, TensorSpec("n", "int32", ()), TensorSpec("x", "float32", (2, 3))):
        with pytest.raises(InputsError, match=r"fails on every shape that was tried: it fails: never\. Give a shape"):
            _declared([spec], run)


@pytest.mark.parametrize("length", [5, 2])
def test_an_axis_that_is_declared_dynamic_and_takes_one_length(length: int) -> None:
    axis = 1 if length == 5 else 0

    def run(arrays: Arrays) -> np.ndarray:
        if arrays["x"].shape[axis] != length:
            raise ValueError(f"expected {length}")
        return arrays["x"]

    with pytest.raises(InputsError) as caught:
        _declared([TensorSpec("x", "float32", (None, None))], run)
    name = "batch" if axis == 0 else "x_axis_1"
    assert f"the model declares the axis {name} dynamic, and takes only the length {length}" in str(caught.value)
    assert "--input-shape" in str(caught.value) and "\n" not in str(caught.value)


# Axes of several tensors ---------------------------------------------------------------------------------------------


def test_axes_that_must_be_as_long_as_each_other() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        if arrays["token_ids"].shape != arrays["padding_mask"].shape:
            raise ValueError("shapes differ")
        return (arrays["token_ids"] * arrays["padding_mask"])[..., None].repeat(4, -1)

    config = _declared([IDS, MASK], run)
    axes = {0: "batch", 1: "token_ids_axis_1"}
    assert config.inputs == {"token_ids": axes, "padding_mask": axes}
    assert config.outputs == {"output": axes}
    for case in standard_cases(config):
        arrays = case_inputs(config, None, case, "tf")
        assert arrays["token_ids"].shape == arrays["padding_mask"].shape


def test_axes_that_are_independent_stay_so() -> None:
    specs = [TensorSpec("left", "float32", (None, None, 4)), TensorSpec("right", "float32", (None, None, 4))]
    config = _declared(specs, lambda arrays: arrays["left"] @ arrays["right"].transpose(0, 2, 1))
    assert config.inputs == {"left": {0: "batch", 1: "left_axis_1"}, "right": {0: "batch", 1: "right_axis_1"}}
    assert config.outputs == {"output": {0: "batch", 1: "left_axis_1", 2: "right_axis_1"}}
    assert any(each["left_axis_1"] > each["right_axis_1"] for each in config._lengths_) or any(
        each["left_axis_1"] < each["right_axis_1"] for each in config._lengths_
    )


@pytest.mark.parametrize("stride", [2, 3, 160])
def test_an_axis_that_is_strided_has_a_name_of_its_own(stride: int) -> None:
    """One element more is not enough to tell: five in steps of two are as many as six."""
    spec = TensorSpec("x", "float32", (None, None, 2))
    config = _declared([spec], lambda arrays: arrays["x"][:, ::stride])
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}}


def test_strides_of_several_outputs() -> None:
    """The first changes with any length, the second with every fourth."""
    spec = TensorSpec("x", "float32", (None, None, 2))
    config = _declared(
        [spec], lambda arrays: {"fine": arrays["x"], "coarse": arrays["x"][:, ::4], "one": arrays["x"][0, 0]}
    )
    assert config.outputs == {
        "fine": {0: "batch", 1: "x_axis_1"},
        "coarse": {0: "batch", 1: "coarse_axis_1"},
        "one": {},
    }


def test_an_axis_of_two_others() -> None:
    config = _declared([IDS], lambda arrays: arrays["token_ids"].reshape(-1, 1))
    assert config.outputs == {"output": {0: "output_axis_0"}}


def test_an_axis_that_is_longer_by_one() -> None:
    config = _declared([IDS], lambda arrays: np.pad(arrays["token_ids"], ((0, 0), (0, 1))))
    assert config.outputs == {"output": {0: "batch", 1: "output_axis_1"}}


def test_an_axis_that_depends_on_values() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["scores"][arrays["scores"] > 0.5]

    config = _declared([TensorSpec("scores", "float32", (1, 100))], run)
    assert config.inputs == {"scores": {}}
    assert config.outputs == {"output": {0: "output_axis_0"}}
    assert config._lengths_ == ({},)


def test_an_output_without_any_dynamic_axis() -> None:
    config = _declared([FIXED], lambda arrays: {"sum": arrays["x"].sum(), "weights": np.ones((2, 3))})
    assert config.outputs == {"sum": {}, "weights": {}}


# Names that a user gives ---------------------------------------------------------------------------------------------


def test_names_of_the_users() -> None:
    specs = [IMAGE, TensorSpec("scale", "float32", (None,))]
    config = _declared(
        specs,
        lambda arrays: {
            "big": arrays["image"] * arrays["scale"][:, None, None, None],
            "small": arrays["image"][:, ::2],
        },
        axis_names={"image": ["n", "height", "width"], "small": {1: "half"}},
    )
    assert config.inputs == {"image": {0: "n", 1: "height", 2: "width"}, "scale": {0: "n"}}
    assert config.outputs == {"big": {0: "n", 1: "height", 2: "width"}, "small": {0: "n", 1: "half", 2: "width"}}
    assert {1, 2, 3} <= _lengths_of(config, "n")  # it is a batch under any name, and not made of 16 images
    assert config._caveats_ == ()


def test_names_in_a_shape() -> None:
    config = _declared([IDS], lambda arrays: arrays["token_ids"], input_shapes={"token_ids": ["rows", "time"]})
    assert config.inputs == {"token_ids": {0: "rows", 1: "time"}} and config.outputs["output"] == {0: "rows", 1: "time"}


def test_one_name_for_two_axes_makes_them_as_long_as_each_other() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return arrays["image"] + arrays["image"].transpose(0, 2, 1, 3)

    with pytest.raises(InputsError, match="fails on every shape"):
        _declared([IMAGE], run)
    config = _declared([IMAGE], run, axis_names={"image": {1: "side", 2: "side"}})
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
        _declared([FIXED], lambda arrays: arrays["x"], axis_names=names)
    assert message in str(caught.value) and "\n" not in str(caught.value)


# Values --------------------------------------------------------------------------------------------------------------


def _embedding(rows: int, name: str) -> Callable[[Arrays], np.ndarray]:
    table = np.arange(rows * 2.0).reshape(rows, 2)

    def run(arrays: Arrays) -> np.ndarray:
        ids = arrays[name]
        if (ids < 0).any() or (ids != np.round(ids)).any():
            raise ValueError("no ids")
        return table[ids.astype(np.int64)]

    return run


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "int8"])
@pytest.mark.parametrize("rows", [1, 2, 37, 64, 100])
def test_ids_end_where_the_embedding_does(rows: int, dtype: str) -> None:
    """Floats too: old Keras models read ids as floats."""
    config = _declared([TensorSpec("tokens", dtype, (None, None))], _embedding(rows, "tokens"))
    seen = np.concatenate([case_inputs(config, None, case, "tf")["tokens"].ravel() for case in thorough_cases(config)])
    assert seen.dtype == dtype
    assert (seen.min(), seen.max()) == (0, rows - 1)
    assert len(np.unique(seen)) >= min(rows, 10)
    largest = [case for case in thorough_cases(config) if case.values == "largest"]
    assert len(largest) == 1
    assert (case_inputs(config, None, largest[0], "tf")["tokens"] == rows - 1).all()


def test_ids_of_two_embeddings() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        return np.eye(1000)[arrays["words"]][..., :3] + np.eye(12)[arrays["kinds"]][..., :3]

    specs = [TensorSpec("words", "int32", (None, 21)), TensorSpec("kinds", "int32", (None, 21))]
    config = _declared(specs, run)
    seen = [case_inputs(config, None, case, "tf") for case in thorough_cases(config)]
    assert max(arrays["words"].max() for arrays in seen) == 999 and max(arrays["kinds"].max() for arrays in seen) == 11


def test_ids_that_nothing_limits() -> None:
    """No more than ids of its dtype."""
    for dtype, most in (("int64", 2**20), ("int16", 2**15), ("int8", 2**7)):
        config = _declared([TensorSpec("x", dtype, (None, 4))], lambda arrays: arrays["x"] * 1.0)
        arrays = case_inputs(config, None, standard_cases(config)[0], "tf")["x"]
        assert arrays.dtype == dtype and 0 <= arrays.min() <= arrays.max() < most and arrays.max() > most // 16


def test_uint8_is_the_pixels_of_an_image() -> None:
    config = _declared([TensorSpec("image", "uint8", (None, 32, 32, 3))], lambda arrays: arrays["image"] / 255)
    arrays = case_inputs(config, None, standard_cases(config)[0], "tf")["image"]
    assert arrays.dtype == np.uint8 and arrays.max() > 250


def test_floats_are_negative_too_and_differ_by_case() -> None:
    config = _declared([FIXED], lambda arrays: arrays["x"])
    drawn = [case_inputs(config, None, case, "tf")["x"] for case in standard_cases(config)]
    assert all(arrays.min() < 0 < arrays.max() and arrays.dtype == np.float32 for arrays in drawn)
    assert len({arrays.tobytes() for arrays in drawn}) == len(drawn)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_masks_are_padded_on_the_right(dtype: str) -> None:
    """Each row by another number, and no row to nothing: softmax over nothing is not a number."""

    def run(arrays: Arrays) -> np.ndarray:
        if arrays["token_ids"].shape != arrays["padding_mask"].shape:
            raise ValueError("shapes differ")
        return arrays["token_ids"] * arrays["padding_mask"]

    config = _declared([IDS, TensorSpec("padding_mask", dtype, (None, None))], run)
    several = False
    for case in standard_cases(config):
        mask = case_inputs(config, None, case, "tf")["padding_mask"]
        assert mask.dtype == dtype and set(np.unique(mask)) <= {0, 1}
        assert (mask[:, 0] == 1).all() and (np.diff(mask.astype(int)) <= 0).all()
        several |= len(set(mask.sum(1))) > 1
    assert several


def test_a_number_alone_may_count_steps() -> None:
    """Of a loop, which would not end soon if it were a million."""
    longest = 0

    def run(arrays: Arrays) -> np.ndarray:
        nonlocal longest
        longest = max(longest, int(arrays["steps"]))
        return arrays["x"] * 2.0 ** -int(arrays["steps"])

    config = _declared([FIXED, TensorSpec("steps", "int32", ())], run)
    seen = {int(case_inputs(config, None, case, "tf")["steps"]) for case in thorough_cases(config)}
    assert len(seen) > 2 and max(seen) == 15 == longest
    assert config.inputs["steps"] == {}


def test_a_case_is_made_again_as_it_was() -> None:
    config = _declared([FIXED, IDS], lambda arrays: arrays["x"])
    for case in thorough_cases(config):
        first, again = (case_inputs(config, None, case, "tf") for _ in range(2))
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert list(first) == ["x", "token_ids"]


def test_only_axes_that_must_be_as_long_as_each_other_share_a_name() -> None:
    """An encoder's ids and mask, and a decoder's: two lengths, not one and not four."""
    names = ("encoder_ids", "encoder_mask", "decoder_ids", "decoder_mask")
    specs = [TensorSpec(name, "int32", (None, None)) for name in names]

    def run(arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        for side in ("encoder", "decoder"):
            if arrays[f"{side}_ids"].shape != arrays[f"{side}_mask"].shape:
                raise TracingError("a mask of another length")
        return {"hidden": arrays["decoder_ids"] * arrays["encoder_mask"].sum(axis=1, keepdims=True)}

    config = declare(specs, run, signature_options(), "a model")
    assert [axes[1] for axes in config.inputs.values()] == [
        "encoder_ids_axis_1",
        "encoder_ids_axis_1",
        "decoder_ids_axis_1",
        "decoder_ids_axis_1",
    ]
    assert config.outputs == {"hidden": {0: "batch", 1: "decoder_ids_axis_1"}}


def test_strides_larger_than_the_length_that_is_traced_with() -> None:
    specs = [TensorSpec("features", "float32", (None, None, 3))]
    config = declare(specs, lambda arrays: {"frames": arrays["features"][:, ::7]}, signature_options(), "a model")
    assert config.outputs == {"frames": {0: "batch", 1: "frames_axis_1"}}


# Values that a model does not survive --------------------------------------------------------------------------------

WORDS = TensorSpec("ids", "int32", (None, None))
COUNT = TensorSpec("n", "int32", (1,))


def _dying_from(least: int, seen: list[int]) -> Callable[[Arrays], Any]:
    """A model whose process dies on ids from some number on."""

    def run(arrays: Arrays) -> Any:
        (ids,) = arrays.values()
        seen.append(int(ids.max()))
        if ids.max() >= least:
            raise ProcessError("its process was killed by SIGABRT")
        return ids * 2

    return run


def test_a_death_is_an_answer_and_is_not_provoked_again() -> None:
    seen: list[int] = []
    config = _declared([WORDS], _dying_from(1000, seen))
    assert [value for value in seen if value >= 1000] == [2**20 - 1]
    assert config._tensors["ids"].limit == 16


@pytest.mark.parametrize(("least", "limit"), [(14, 5), (3, 2), (1, 1)])
def test_a_death_among_the_smallest_ids(least: int, limit: int) -> None:
    """No id beyond the last one that was seen to be taken."""
    seen: list[int] = []
    config = _declared([COUNT], _dying_from(least, seen))
    assert config._tensors["n"].limit == limit
    assert len([value for value in seen if value >= least]) == 2


def test_a_length_that_kills_is_a_length_that_is_not_taken() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        if arrays["x"].shape[1] > 8:
            raise ProcessError("its process was killed by SIGKILL (out of memory?)")
        return arrays["x"] * 2

    config = _declared([TensorSpec("x", "float32", (None, None))], run)
    assert max(_lengths_of(config, "x_axis_1")) <= 8


def test_a_model_that_dies_on_all_lengths() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        raise ProcessError("its process was killed by SIGABRT")

    with pytest.raises(InputsError, match="fails on every shape that was tried: its process was killed by SIGABRT"):
        _declared([WORDS], run)


def test_an_id_that_sizes_an_output_stays_small() -> None:
    config = _declared([COUNT], lambda arrays: np.zeros(int(arrays["n"][0])))
    assert config._tensors["n"].limit == 16
    assert config.outputs == {"output": {0: "output_axis_0"}}


@pytest.mark.parametrize(
    ("shape", "largest"),
    [((), 15), ((1,), 15), ((None,), 15), ((None, 8), 15), ((None, 9), 2**20 - 1), ((None, None), 2**20 - 1)],
)
def test_careful_values(shape: tuple[int | None, ...], largest: int) -> None:
    """Small where there are few integers per row; else from small ones to large ones."""
    seen: list[int] = []
    spec = TensorSpec("ids", "int32", shape)
    config = declare([spec], _recorded(seen), signature_options(), "the model", careful=True)
    first = seen[: seen.index(largest) + 1]
    assert first == sorted(first)
    assert max(seen) == largest
    assert config._tensors["ids"].limit == largest + 1


def _recorded(seen: list[int]) -> Callable[[Arrays], Any]:
    def run(arrays: Arrays) -> dict[str, np.ndarray]:
        seen.append(int(arrays["ids"].max()))
        return {"output": arrays["ids"] * 2}

    return run


def test_a_declaration_can_be_sent_to_another_process() -> None:
    config = _declared([WORDS], lambda arrays: arrays["ids"] % 7)
    sent = pickle.loads(pickle.dumps(config))
    assert (sent.inputs, sent.outputs, sent._lengths_) == (config.inputs, config.outputs, config._lengths_)
    np.testing.assert_array_equal(sent.generate_dummy_inputs()["ids"], config.generate_dummy_inputs()["ids"])
