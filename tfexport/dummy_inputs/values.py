"""Rare values for inputs of the same shapes: zeros, the largest ones, repeated ones, and other seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tfexport.dummy_inputs.rules import USUAL_RULES, InputRules
from tfexport.dummy_inputs.text import TOKEN_IDS, Vocabulary

Values = Literal["drawn", "zeros", "largest", "repeated"]
"""Kind of values.

- drawn: the values as drawn.
- zeros: token 0, and 0.0.
- largest: the highest ordinary token, and numbers eight times as large.
- repeated: one ordinary token, and the first third of a row of numbers again and again. A single repeated number would have a
  variance of zero, by which models divide.
"""
_LARGE = 8.0


def with_values(
    arrays: Mapping[str, Any],
    values: Values,
    seed: int,
    words: Vocabulary | None,
    decoder_words: Vocabulary | None,
    rules: InputRules = USUAL_RULES,
) -> dict[str, Any]:
    """Return arrays with other values. Ordinary tokens and floats change; special tokens, masks and caches do not.

    Args:
        arrays: inputs by name.
        values: the kind of values.
        seed: 0 keeps the values of the arrays; any other seed draws other tokens and shuffles floats.
        words: the vocabulary of the text; None for a model without text.
        decoder_words: the vocabulary of the decoder's text.
        rules: the rules of the model type.
    """
    random = np.random.default_rng(seed)
    changed = dict(arrays)
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            continue
        if name in TOKEN_IDS:
            vocabulary = decoder_words if name.startswith("decoder_") else words
            if vocabulary is not None:
                changed[name] = _tokens(array, values, seed, vocabulary, random)
        elif array.dtype.kind == "f" and name not in rules.distinct_values:
            changed[name] = _floats(array, values, seed, random)
    return changed


def _tokens(ids: np.ndarray, values: Values, seed: int, words: Vocabulary, random: np.random.Generator) -> np.ndarray:
    ordinary = np.isin(ids, words.ids)
    drawn = np.where(ordinary, random.choice(words.ids, size=ids.shape), ids) if seed else ids
    constants = {"zeros": 0, "largest": int(words.ids.max()), "repeated": int(words.ids[len(words.ids) // 2])}
    return drawn if values == "drawn" else np.where(ordinary, constants[values], ids).astype(ids.dtype)


def _floats(array: np.ndarray, values: Values, seed: int, random: np.random.Generator) -> np.ndarray:
    return floats_with(random.permutation(array.reshape(-1)).reshape(array.shape) if seed else array, values)


def floats_with(drawn: np.ndarray, values: Values) -> np.ndarray:
    """Return drawn floats, or other floats of their shape and dtype."""
    if values == "zeros":
        return np.zeros_like(drawn)
    if values == "repeated":
        return np.resize(drawn.reshape(-1)[: 1 + (drawn.shape or (1,))[-1] // 3], drawn.shape)
    return drawn * drawn.dtype.type(_LARGE) if values == "largest" else drawn
