"""What is known of a model before any tool sees it, said by hand: names, axes, and lengths to compare on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Axis = int | str
"""A length, or the name of a dynamic axis; the same name for what is as long."""
Source = Literal["keras", "h5", "saved-model", "preset", "python"]
_SHIFT = 0.3


@dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        axes: one entry an axis.
        content: numbers; pixels, from 0 to 255; ids below `limit`; a mask, ones and then zeros; padded ids, which are 0 from
            where the mask would be.
        limit: of ids.
    """

    axes: tuple[Axis, ...]
    content: Literal["numbers", "pixels", "ids", "mask", "padded ids"] = "numbers"
    limit: int = 2

    def array(self, lengths: Mapping[str, int], seed: int) -> np.ndarray:
        """Values for a case: those of other seeds differ, numbers in the sign of their mean too."""
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
    """A model of the benchmark.

    Attributes:
        name: in the table.
        build: makes it, with its weights.
        inputs: by the name that the model has for each.
        outputs: axes of each, by the name that the model has for it.
        cases: sets of lengths of the dynamic axes to compare on.
        source: what tfexport is given.
        keras: ``"keras"``, ``"tf_keras"``, or nothing for a SavedModel alone.
        recurrent: its recurrent layers, a bidirectional one once: each should be one operator.
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
        """Inputs of a case by name."""
        return {name: each.array(self.cases[case], case) for name, each in self.inputs.items()}
