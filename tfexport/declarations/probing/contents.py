"""The values that each input takes: numbers, or ids below a limit that only the model knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfexport.checkpoints.signature import TensorSpec
from tfexport.declarations.probing.trial import Inputs, Lengths, Shapes, Trial, shape_of
from tfexport.dummy_inputs.tensors import Tensor
from tfexport.processes.memory import peak_rss_mib

_MOST_IDS = 2**20
_MOST_STEPS = 16
"""Limit of a single number, which may count the steps of a loop, and of an integer that sizes a tensor."""
_FEW = 8
"""Integers per row, at most, that are careful about their size: they may be lengths or a shape."""
_NEGATIVE = -3.0
_SIZED = 65_536
"""Elements of the outputs more than for zeros: the value sizes them."""
_SIZED_MIB = 256.0
"""Memory of one run in this process, beyond the peak so far: the value sizes a tensor."""


def fill(trial: Trial, inputs: Inputs, base: Lengths) -> None:
    """Find the values that each input takes, and note them in the trial."""
    for spec in trial.specs:
        if not np.prod(shape_of(spec, inputs, base), dtype=np.int64):
            continue
        values = _Values(trial, inputs, base, spec)
        tensor = trial.tensors[spec.name]
        if tensor.content == "numbers" and not values.takes(_NEGATIVE):
            tensor = Tensor(spec.name, spec.dtype, "ids")  # an embedding that reads floats
        if tensor.content == "ids" and spec.dtype not in ("bool", "uint8"):
            tensor = replace(tensor, limit=values.limit())
        trial.tensors[spec.name] = tensor


class _Values:
    """Values of one input, each tried in all its elements at once.

    Args:
        trial: The model.
        inputs: Names of the dynamic axes, by input.
        base: Lengths of the dynamic axes.
        spec: The input.
    """

    def __init__(self, trial: Trial, inputs: Inputs, base: Lengths, spec: TensorSpec) -> None:
        self._trial, self._inputs, self._base, self._spec = trial, inputs, base, spec
        self._sizes_a_tensor = False

    def takes(self, value: float) -> bool:
        """Whether the model runs on a value, and needs no tensors for it that grow with the value.

        After a value that ended the model's process, or that sized a tensor, no other is tried.
        """
        if self._sizes_a_tensor:
            return False
        trial, spec = self._trial, self._spec
        deaths, peak = trial.deaths, peak_rss_mib()
        filled = {spec.name: np.full(shape_of(spec, self._inputs, self._base), value, spec.dtype)}
        shapes = trial.shapes(self._inputs, self._base, filled)
        grew = trial.careful and peak_rss_mib() - peak > _SIZED_MIB
        large = shapes is not None and _elements(shapes) - self._elements_for_zeros() > _SIZED
        self._sizes_a_tensor = trial.deaths > deaths or grew or large
        return shapes is not None and not self._sizes_a_tensor

    def limit(self) -> int:
        """Return the number of ids that the model takes: all are below it."""
        few = not self._spec.shape or (self._trial.careful and _is_small(self._spec))
        most = _MOST_STEPS if few else _MOST_IDS
        if np.dtype(self._spec.dtype).kind in "iu":
            most = min(most, int(np.iinfo(self._spec.dtype).max))
        found = _limit(self.takes, most, gradually=self._trial.careful)
        if not self._sizes_a_tensor:
            return found
        self._sizes_a_tensor = False
        return _limit(self.takes, min(most, _MOST_STEPS), gradually=True)

    def _elements_for_zeros(self) -> int:
        return _elements(self._trial.shapes(self._inputs, self._base) or {})


def _is_small(spec: TensorSpec) -> bool:
    """Whether an input has few elements per row, so that it may hold lengths or a shape."""
    row = spec.shape[1:]
    return None not in row and int(np.prod([length or 0 for length in row] or [1])) <= _FEW


def _elements(shapes: Shapes) -> int:
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())


def _limit(takes: Callable[[float], bool], most: int, *, gradually: bool) -> int:
    """Return the number of ids that a model takes, at most `most`.

    Args:
        takes: Whether the model takes an id.
        most: Largest number to return.
        gradually: Whether small ids are tried before the largest.
    """
    if not gradually and takes(most - 1):
        return most
    low, high = 0, min(1, most - 1)  # an id that it takes, and one that is not known
    while (gradually or high < most - 1) and takes(high):
        if high == most - 1:
            return most
        low, high = high, min(high * 4, most - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return low + 1
