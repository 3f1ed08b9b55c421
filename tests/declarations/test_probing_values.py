"""The values that a model accepts, found by running it: the models here are functions of NumPy arrays."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.declarations.functions import FIXED, IDS, Arrays, declared, lengths_of
from tfexport.checkpoints.signature import TensorSpec, signature_options
from tfexport.declarations.probing import declare
from tfexport.errors import InputsError, ProcessError, TracingError
from tfexport.validation import case_inputs, standard_cases, thorough_cases

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
    config = declared([TensorSpec("tokens", dtype, (None, None))], _embedding(rows, "tokens"))
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
    config = declared(specs, run)
    seen = [case_inputs(config, None, case, "tf") for case in thorough_cases(config)]
    assert max(arrays["words"].max() for arrays in seen) == 999 and max(arrays["kinds"].max() for arrays in seen) == 11


def test_ids_that_nothing_limits() -> None:
    """No more than ids of its dtype."""
    for dtype, most in (("int64", 2**20), ("int16", 2**15), ("int8", 2**7)):
        config = declared([TensorSpec("x", dtype, (None, 4))], lambda arrays: arrays["x"] * 1.0)
        arrays = case_inputs(config, None, standard_cases(config)[0], "tf")["x"]
        assert arrays.dtype == dtype and 0 <= arrays.min() <= arrays.max() < most and arrays.max() > most // 16


def test_uint8_is_the_pixels_of_an_image() -> None:
    config = declared([TensorSpec("image", "uint8", (None, 32, 32, 3))], lambda arrays: arrays["image"] / 255)
    arrays = case_inputs(config, None, standard_cases(config)[0], "tf")["image"]
    assert arrays.dtype == np.uint8 and arrays.max() > 250


def test_floats_are_negative_too_and_differ_by_case() -> None:
    config = declared([FIXED], lambda arrays: arrays["x"])
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

    config = declared([IDS, TensorSpec("padding_mask", dtype, (None, None))], run)
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

    config = declared([FIXED, TensorSpec("steps", "int32", ())], run)
    seen = {int(case_inputs(config, None, case, "tf")["steps"]) for case in thorough_cases(config)}
    assert len(seen) > 2 and max(seen) == 15 == longest
    assert config.inputs["steps"] == {}


def test_a_case_is_made_again_as_it_was() -> None:
    config = declared([FIXED, IDS], lambda arrays: arrays["x"])
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
    config = declared([WORDS], _dying_from(1000, seen))
    assert [value for value in seen if value >= 1000] == [2**20 - 1]
    assert config._tensors["ids"].limit == 16


@pytest.mark.parametrize(("least", "limit"), [(14, 5), (3, 2), (1, 1)])
def test_a_death_among_the_smallest_ids(least: int, limit: int) -> None:
    """No id beyond the last one that was seen to be taken."""
    seen: list[int] = []
    config = declared([COUNT], _dying_from(least, seen))
    assert config._tensors["n"].limit == limit
    assert len([value for value in seen if value >= least]) == 2


def test_a_length_that_kills_is_a_length_that_is_not_taken() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        if arrays["x"].shape[1] > 8:
            raise ProcessError("its process was killed by SIGKILL (out of memory?)")
        return arrays["x"] * 2

    config = declared([TensorSpec("x", "float32", (None, None))], run)
    assert max(lengths_of(config, "x_axis_1")) <= 8


def test_a_model_that_dies_on_all_lengths() -> None:
    def run(arrays: Arrays) -> np.ndarray:
        raise ProcessError("its process was killed by SIGABRT")

    with pytest.raises(InputsError, match="fails on every shape that was tried: its process was killed by SIGABRT"):
        declared([WORDS], run)


def test_an_id_that_sizes_an_output_stays_small() -> None:
    config = declared([COUNT], lambda arrays: np.zeros(int(arrays["n"][0])))
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
    config = declared([WORDS], lambda arrays: arrays["ids"] % 7)
    sent = pickle.loads(pickle.dumps(config))
    assert (sent.inputs, sent.outputs, sent._lengths_) == (config.inputs, config.outputs, config._lengths_)
    np.testing.assert_array_equal(sent.generate_dummy_inputs()["ids"], config.generate_dummy_inputs()["ids"])
