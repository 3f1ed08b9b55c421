"""Rare values, and rows with few tokens."""

from __future__ import annotations

import numpy as np
import pytest

from tfexport.dummy_inputs import Vocabulary, pad_rows, with_values

WORDS = Vocabulary(ids=np.arange(5, 50), pad_id=0, prefix=(2,), suffix=(3,))
IDS = np.array([[2, 11, 12, 13, 3], [2, 21, 22, 23, 3]])
MASK = np.ones_like(IDS)
IMAGE = np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 2, 3, 4)


@pytest.mark.parametrize(("values", "token"), [("zeros", 0), ("largest", 49), ("repeated", 27)])
def test_ordinary_tokens_change_and_special_ones_stay(values: str, token: int) -> None:
    made = with_values({"input_ids": IDS, "attention_mask": MASK}, values, 0, WORDS, None)  # type: ignore[arg-type]
    np.testing.assert_array_equal(made["input_ids"], [[2, token, token, token, 3]] * 2)
    assert made["input_ids"].dtype == IDS.dtype
    assert made["attention_mask"] is MASK


def test_another_seed_draws_other_ordinary_tokens() -> None:
    first, again, other = (
        with_values({"input_ids": IDS}, "drawn", seed, WORDS, None)["input_ids"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != IDS).any()
    assert np.isin(first[:, 1:4], WORDS.ids).all()
    assert (first[:, [0, 4]] == IDS[:, [0, 4]]).all()
    np.testing.assert_array_equal(with_values({"input_ids": IDS}, "drawn", 0, WORDS, None)["input_ids"], IDS)


def test_numbers() -> None:
    made = {
        values: with_values({"pixel_values": IMAGE}, values, 0, None, None)["pixel_values"]
        for values in ("drawn", "zeros", "largest", "repeated")
    }
    np.testing.assert_array_equal(made["drawn"], IMAGE)
    np.testing.assert_array_equal(made["zeros"], 0 * IMAGE)
    np.testing.assert_array_equal(made["largest"], 8 * IMAGE)
    np.testing.assert_array_equal(made["repeated"].reshape(-1), np.resize(IMAGE.reshape(-1)[:2], 24))
    assert {value.dtype for value in made.values()} == {np.dtype(np.float32)}
    shuffled = with_values({"pixel_values": IMAGE}, "drawn", 3, None, None)["pixel_values"]
    np.testing.assert_array_equal(np.sort(shuffled, None), np.sort(IMAGE, None))


def test_few_tokens_are_left_of_each_row() -> None:
    mask = np.ones((4, 8), np.int64)
    made = pad_rows({"input_ids": np.full((4, 8), 9), "attention_mask": mask}, "to few", 0)
    assert made["attention_mask"].sum(1).tolist() == [1, 2, 3, 1]
    assert (np.diff(made["attention_mask"], axis=1) <= 0).all()
    assert (made["input_ids"][made["attention_mask"] == 0] == 0).all()
