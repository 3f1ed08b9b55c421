"""Corners: everything that computes the model in a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfexport.checkpoints.framework import Framework
from tfexport.parity.run_result import RunResult

CPU = "cpu"
"""The execution provider whose name a corner does not show."""
Kind = Literal["framework", "file"]


@dataclass(frozen=True)
class CornerId:
    """Identity of a corner.

    Attributes:
        framework: Framework that runs the model, or from whose model the files were exported.
        kind: ``"framework"`` for the model itself, ``"file"`` for the ONNX files exported from it.
        provider: Execution provider of ONNX Runtime that runs the files, as users write it.
    """

    framework: Framework
    kind: Kind = "framework"
    provider: str = CPU

    @property
    def name(self) -> str:
        """Name in reports: ``tf``, ``onnx-tf``, ``onnx-tf on cuda``."""
        if self.kind == "framework":
            return self.framework
        return f"onnx-{self.framework}" + ("" if self.provider == CPU else f" on {self.provider}")


@dataclass(frozen=True)
class Corner:
    """A corner, with the result of running it.

    Attributes:
        id: Identity of the corner.
        result: Result of the run; None when the corner could not be run.
        absent: Reason why it could not be run; None when it was run.
        expected: Whether a corner that was not run is a problem. It is not when a framework is not installed, or has no
            class for the model.
    """

    id: CornerId
    result: RunResult | None
    absent: str | None = None
    expected: bool = True

    @property
    def name(self) -> str:
        """Name in reports."""
        return self.id.name

    @property
    def repeat(self) -> str | None:
        """Sentence about a second run of the same case; None when nothing was run twice."""
        if self.result is None or not self.result.spread:
            return None
        spread = self.result.spread
        found = [(error, part, name) for part, each in spread.items() for name, error in each.items()]
        if not found:
            return "two runs return the same values, bit for bit"
        error, part, name = max(found)
        return f"two runs differ by at most {error:.2g} ({name if len(spread) == 1 else f'{part}, {name}'})"
