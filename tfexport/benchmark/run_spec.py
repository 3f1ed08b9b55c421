"""The run of a cell: the model and how to run it. It is sent to the process of the cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfexport.benchmark.cells import Cell

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A model, in the forms that engines load.

    Attributes:
        name: Name in reports.
        files: ONNX files, by name without ``.onnx``; empty when there is only a checkpoint.
        outputs: Names of the outputs that every engine must return, in order; empty for a model that writes text.
        checkpoint: Checkpoint of the same weights; None when there is none.
        converted: Checkpoints by framework, for frameworks whose weights `checkpoint` does not hold.
        feature: Feature of the checkpoint; None when there is none.
        model_type: Model type of the checkpoint; None when there is none.
        start: First token of a decoder; None for a model that continues its prompt.
    """

    name: str
    files: Mapping[str, Path] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    checkpoint: str | None = None
    feature: str | None = None
    model_type: str | None = None
    converted: Mapping[str, Path] = field(default_factory=dict)
    start: int | None = None


@dataclass(frozen=True)
class RunSpec:
    """The run of one cell.

    Attributes:
        model: Model to run.
        cell: Engine, provider and setting.
        level: Optimisation level of ONNX Runtime, ``"all"`` or ``"disabled"``.
    """

    model: Model
    cell: Cell
    level: str = "all"

    @property
    def resident(self) -> bool:
        """Whether inputs and outputs stay on the engine's device."""
        return self.cell.setting.boundary == "device"
