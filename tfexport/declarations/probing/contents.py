"""What inputs can be filled with: numbers, or ids below a limit that the model knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfexport.declarations.probing.trial import Inputs, Lengths, Trial, shape_of
from tfexport.dummy_inputs.tensors import Tensor

_MOST_IDS = 2**20
_MOST_STEPS = 16
"""Of a number alone: it may count the steps of a loop."""
_NEGATIVE = -3.0


def fill(trial: Trial, inputs: Inputs, base: Lengths) -> None:
    """Find what each input can be filled with, and write it down in the trial."""
    for spec in trial.specs:
        shape = shape_of(spec, inputs, base)
        tensor = trial.tensors[spec.name]
        if not np.prod(shape, dtype=np.int64):
            continue

        def takes(value: float, name: str = spec.name, shape: tuple[int, ...] = shape, dtype: str = spec.dtype) -> bool:
            return trial.shapes(inputs, base, {name: np.full(shape, value, dtype)}) is not None

        if tensor.content == "numbers" and not takes(_NEGATIVE):
            tensor = Tensor(spec.name, spec.dtype, "ids")  # an embedding that reads floats
        if tensor.content == "ids" and spec.dtype not in ("bool", "uint8"):
            most = _MOST_IDS if spec.shape else _MOST_STEPS
            if np.dtype(spec.dtype).kind in "iu":
                most = min(most, int(np.iinfo(spec.dtype).max))
            tensor = replace(tensor, limit=_limit(takes, most))
        trial.tensors[spec.name] = tensor


def _limit(takes: Callable[[float], bool], most: int) -> int:
    """The number of ids that a model takes: all are below it. At most `most`."""
    if takes(most - 1):
        return most
    low, high = 0, 1  # an id that it takes, and one that is not known
    while high < most - 1 and takes(high):
        low, high = high, high * 4
    high = min(high, most - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return low + 1
