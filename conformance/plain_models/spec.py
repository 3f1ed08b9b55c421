"""The hand-written facts about a model: names, axes, and lengths to compare on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Axis = int | str
"""A length, or the name of a dynamic axis; axes of one name have equal lengths."""
Source = Literal["keras", "h5", "saved-model", "preset", "python"]
_SHIFT = 0.3


@dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        axes: Axes, one entry per axis.
        content: Kind of values: numbers; pixels from 0 to 255; ids below `limit`; a mask of ones and then zeros; padded ids,
            which are 0 where the mask is 0.
        limit: Upper limit of ids.
    """

    axes: tuple[Axis, ...]
    content: Literal["numbers", "pixels", "ids", "mask", "padded ids"] = "numbers"
    limit: int = 2

    def array(self, lengths: Mapping[str, int], seed: int) -> np.ndarray:
        """Return the values for a case. They differ by seed; numbers also differ in the sign of their mean."""
        shape = tuple(lengths[axis] if isinstance(axis, str) else axis for axis in self.axes)
        random = np.random.default_rng([seed, *shape])
        if self.content == "numbers":
            return np.asarray(random.standard_normal(shape) + _SHIFT * (-1) ** seed, np.float32)
        if self.content == "pixels":
            return np.asarray(random.uniform(0, 255, shape), np.float32)
        ids = random.integers(1, self.limit, shape) if self.limit > 2 else random.integers(0, self.limit, shape)
        kept = np.arange(shape[-1]) < np.maximum(1, shape[-1] - 2 * np.arange(shape[0]))[:, None]
        if self.content == "ids":
            return np.asarray(ids, np.int32)
        return np.asarray(kept if self.content == "mask" else ids * kept, np.int32)


@dataclass(frozen=True)
class PlainModel:
    """One model of the comparison.

    Attributes:
        name: Name in the table.
        build: Function that returns the model with its weights.
        inputs: Inputs, by the model's own name.
        outputs: Axes of each output, by the model's own name.
        cases: Lengths of the dynamic axes, one mapping per case.
        source: Form of the model that tfexport receives.
        keras: ``"keras"``, ``"tf_keras"``, or an empty text for a model that only exists as a SavedModel.
        recurrent: Number of recurrent layers; a bidirectional one counts once, and each should be one operator.
    """

    name: str
    build: Callable[[], Any]
    inputs: Mapping[str, Input]
    outputs: Mapping[str, tuple[Axis, ...]]
    cases: tuple[Mapping[str, int], ...] = ({"batch": 1}, {"batch": 3}, {"batch": 6})
    source: Source = "keras"
    keras: str = "keras"
    recurrent: int = 0

    def arrays(self, case: int) -> dict[str, np.ndarray]:
        """Return the inputs of a case by name."""
        return {name: each.array(self.cases[case], case) for name, each in self.inputs.items()}
