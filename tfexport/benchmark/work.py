"""What an engine is given: where the model lies, and how it is to be run. It crosses to a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfexport.benchmark.cells import Cell

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A model, in the forms that engines take.

    Attributes:
        name: for people.
        files: ONNX files by name without ``.onnx``; empty where there is only a checkpoint.
        outputs: names of the outputs that every engine must give, in order; empty for a model that writes text.
        checkpoint: a checkpoint of the same weights; None where there is none.
        converted: checkpoints of a framework whose weights that one does not hold, by framework.
        feature: of the checkpoint; None where there is none.
        start: the token that a decoder begins with; None for a model that goes on with its prompt.
    """

    name: str
    files: Mapping[str, Path] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    checkpoint: str | None = None
    feature: str | None = None
    converted: Mapping[str, Path] = field(default_factory=dict)
    start: int | None = None


@dataclass(frozen=True)
class Work:
    """One cell's work.

    Attributes:
        model: what is run.
        cell: how.
        level: optimisation level of ONNX Runtime, ``"all"`` or ``"disabled"``.
    """

    model: Model
    cell: Cell
    level: str = "all"

    @property
    def resident(self) -> bool:
        """Whether inputs and outputs stay where the engine computes."""
        return self.cell.setting.boundary == "device"
