"""Padding: a row on its own beside the same row among others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tfexport.validation.invariance import can_be_cut, padding_error, spread

MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
IDS = np.arange(15).reshape(3, 5) + 1
INPUTS = {"input_ids": IDS, "attention_mask": MASK}


def _sees_the_mask(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    ids, mask = (inputs[name].astype(np.float32) for name in ("input_ids", "attention_mask"))
    mean = (ids * mask).sum(1) / mask.sum(1)
    return {"states": ids[:, :, None] + mean[:, None, None], "pooled": mean}


def _ignores_the_mask(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return _sees_the_mask({**inputs, "attention_mask": np.ones_like(inputs["attention_mask"])})


def test_one_that_sees_the_mask_is_not_changed_by_padding() -> None:
    assert padding_error(_sees_the_mask, INPUTS, _sees_the_mask(INPUTS)) == {"states": 0.0, "pooled": 0.0}


def test_one_that_ignores_it_is() -> None:
    found = padding_error(_ignores_the_mask, INPUTS, _ignores_the_mask(INPUTS))
    assert found == {"states": 2.0, "pooled": 2.0}  # row 2: 11 alone, the mean of 11 to 15 among the others


@pytest.mark.parametrize(
    "inputs",
    [
        {"input_ids": IDS},
        {**INPUTS, "attention_mask": np.ones_like(MASK)},
        {**INPUTS, "attention_mask": MASK[:, ::-1]},
        {**INPUTS, "pixel_values": np.ones((3, 3, 8, 8))},
        {name: value[:1] for name, value in INPUTS.items()},
    ],
)
def test_what_cannot_be_cut(inputs: Mapping[str, np.ndarray]) -> None:
    assert can_be_cut(INPUTS)
    assert not can_be_cut(inputs)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([1.0, np.nan, np.inf], {}),
        ([1.5, np.nan, np.inf], {"y": 0.5}),
        ([1.0, 2.0, np.inf], {"y": np.inf}),
        ([1.0, np.nan, -np.inf], {"y": np.inf}),
        ([1.0, np.nan], {"y": np.inf}),
    ],
)
def test_two_runs(second: list[float], expected: dict[str, float]) -> None:
    first = {"y": np.array([1.0, np.nan, np.inf], np.float32)}
    assert spread(first, {"y": np.array(second, np.float32)}) == expected


def test_bits_differ_where_numbers_do_not() -> None:
    assert spread({"y": np.zeros(2)}, {"y": -np.zeros(2)}) == {"y": 0.0}
    assert spread({"y": np.array([True])}, {"y": np.array([False])}) == {"y": 1.0}
