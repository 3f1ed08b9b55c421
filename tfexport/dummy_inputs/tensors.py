"""Values for tensors of which only the name, shape and dtype are known, and the ids that the model was seen to accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfexport.dummy_inputs.values import Values, floats_with

Content = Literal["numbers", "ids", "mask"]
_UINT8 = 256


@dataclass(frozen=True)
class Tensor:
    """Content of one input.

    Attributes:
        name: Name of the input.
        dtype: NumPy's name of the dtype.
        content: Kind of values: numbers (normally distributed), ids (whole numbers from zero, also as floats), or a mask (ones,
            then zeros).
        limit: Upper bound of ids, exclusive.
    """

    name: str
    dtype: str
    content: Content
    limit: int = 2

    def array(self, shape: tuple[int, ...], values: Values = "drawn", seed: int = 0) -> np.ndarray:
        """Return an array of the shape and dtype.

        Args:
            shape: lengths of all axes.
            values: the kind of values. A mask is the same for each kind.
            seed: the seed of the drawn values.
        """
        random = np.random.default_rng([seed, *shape, *self.name.encode()])
        if self.content == "mask":
            return right_padded(shape).astype(self.dtype)
        if np.dtype(self.dtype).kind == "b":
            return np.zeros(shape, bool) if values == "zeros" else random.integers(0, 2, shape).astype(bool)
        if self.content == "ids":
            constants = {"zeros": 0, "largest": self.limit - 1, "repeated": self.limit // 2}
            drawn = random.integers(0, self.limit, shape) if values == "drawn" else np.full(shape, constants[values])
            return np.asarray(drawn).astype(self.dtype)
        drawn = np.asarray(random.standard_normal(shape)).astype(self.dtype)
        return floats_with(drawn, values) if drawn.size else drawn


def tensor_of(name: str, dtype: str) -> Tensor:
    """Return the content of an input by its name and dtype only."""
    if np.dtype(dtype).kind == "f":
        return Tensor(name, dtype, "numbers")
    if "mask" in name.lower():
        return Tensor(name, dtype, "mask")
    return Tensor(name, dtype, "ids", _UINT8 if dtype == "uint8" else 2)


def right_padded(shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask, int64, whose ones end one step earlier per row of the last axis. Each row keeps at least one."""
    if not shape:
        return np.ones(shape, np.int64)
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    kept = np.array([max(1, shape[-1] - row % max(shape[-1], 1)) for row in range(rows)])
    return (np.arange(shape[-1]) < kept[:, None]).astype(np.int64).reshape(shape)
