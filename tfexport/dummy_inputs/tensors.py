"""Values for tensors of which nothing is known but name, shape and dtype, and what a model has been seen to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfexport.dummy_inputs.values import Values, floats_with

Content = Literal["numbers", "ids", "mask"]
_UINT8 = 256


@dataclass(frozen=True)
class Tensor:
    """What an input is filled with.

    Attributes:
        name: of the input.
        dtype: NumPy's name of it.
        content: numbers of a normal distribution; ids, whole numbers from zero, also in floats; a mask, ones, then zeros.
        limit: ids are below it.
    """

    name: str
    dtype: str
    content: Content
    limit: int = 2

    def array(self, shape: tuple[int, ...], values: Values = "drawn", seed: int = 0) -> np.ndarray:
        """An array of the shape and dtype.

        Args:
            shape: lengths of all axes.
            values: as for the inputs of models that are known; a mask has only its own.
            seed: other seeds draw others.
        """
        random = np.random.default_rng([seed, *shape, *self.name.encode()])
        if self.content == "mask":
            return right_padded(shape).astype(self.dtype)
        if np.dtype(self.dtype).kind == "b":
            return np.zeros(shape, bool) if values == "zeros" else random.integers(0, 2, shape).astype(bool)
        if self.content == "ids":
            told = {"zeros": 0, "largest": self.limit - 1, "repeated": self.limit // 2}
            drawn = random.integers(0, self.limit, shape) if values == "drawn" else np.full(shape, told[values])
            return np.asarray(drawn).astype(self.dtype)
        drawn = np.asarray(random.standard_normal(shape)).astype(self.dtype)
        return floats_with(drawn, values) if drawn.size else drawn


def tensor_of(name: str, dtype: str) -> Tensor:
    """What an input is filled with by its name and dtype alone."""
    if np.dtype(dtype).kind == "f":
        return Tensor(name, dtype, "numbers")
    if "mask" in name.lower():
        return Tensor(name, dtype, "mask")
    return Tensor(name, dtype, "ids", _UINT8 if dtype == "uint8" else 2)


def right_padded(shape: tuple[int, ...]) -> np.ndarray:
    """Ones that end earlier in each row, along the last axis: each row keeps one at least."""
    if not shape:
        return np.ones(shape, np.int64)
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    kept = np.array([max(1, shape[-1] - row % max(shape[-1], 1)) for row in range(rows)])
    return (np.arange(shape[-1]) < kept[:, None]).astype(np.int64).reshape(shape)
