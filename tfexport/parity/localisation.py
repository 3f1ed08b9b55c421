"""Find the layer in which the two corners of a disagreeing pair diverge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from tfexport.errors import ProcessError
from tfexport.parity.corners import CornerId
from tfexport.parity.divergence import Divergence, first_divergent, holds, swapped_outputs
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import record_tensors, run_at_levels
from tfexport.parity.frameworks import FrameworkModel, record_layers
from tfexport.parity.pairs import Compared, Pair
from tfexport.parity.repro import write_repro
from tfexport.processes.isolation import Caller
from tfexport.validation import Tolerance, compare

_NEAR = 0.2
"""Share of the largest magnitude within which a tensor resembles a layer's output; beyond it any other one might be as near."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Located:
    """The place where the two corners of a pair diverge.

    Attributes:
        pair: Name of the pair.
        part: Part of the model.
        case: Name of the case that was examined: the failing one with the fewest elements.
        divergence: Findings layer by layer; None when nothing could be recorded.
        node: Node of the file that makes the tensor nearest to the layer's output, as ``op (name)``; empty when none is near.
        levels: Whether the file agrees, by level of ONNX Runtime's optimisations.
        swapped: Outputs that have the values of another one, as pairs of names.
        repro: Folder of the failing case; None when none was asked for.
        problem: Reason why the layer could not be found; None when it was looked for.
    """

    pair: str
    part: str
    case: str
    divergence: Divergence | None = None
    node: str = ""
    levels: Mapping[str, bool] = field(default_factory=dict)
    swapped: tuple[tuple[str, str], ...] = ()
    repro: Path | None = None
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """The finding as a sentence."""
        return f"{self.pair}, {self.case}: {self._finding()}"

    def _finding(self) -> str:
        if self.problem is not None:
            return f"the layer could not be looked for: {self.problem}"
        if self.swapped:
            return ", ".join(f"{name} has the values of {other}" for name, other in self.swapped)
        good = [level for level, agrees in self.levels.items() if agrees]
        bad = [level for level, agrees in self.levels.items() if not agrees]
        if good and bad:
            return f"the file agrees with optimisations {', '.join(good)}, but not with {', '.join(bad)}"
        if self.divergence is None or self.divergence.first is None:
            second = "file" if self.levels else "other framework"  # only a file has levels
            return (
                f"every layer's output is correct in the {second}, but the outputs of the model are not: the error is "
                "introduced after the last layer"
            )
        return self._first_layer(self.divergence)

    def _first_layer(self, divergence: Divergence) -> str:
        first, before = divergence.first, divergence.before
        assert first is not None
        off = "" if first.error is None else f", off by {first.error:.2g} of its largest magnitude"
        after = "" if before is None else f"; the layer before it, {before.name}, agrees"
        node = f"; the nearest node in the file is {self.node}" if self.node else ""
        return f"the first layer that differs is {first.name}{off}{after}{node}"


@dataclass(frozen=True)
class Recording:
    """Intermediate tensors of one case in one corner.

    Attributes:
        tensors: Layer outputs of a framework, or tensors of a file, in the order in which they were computed.
        makers: Node that makes each tensor of a file, as ``op (name)``.
    """

    tensors: Arrays
    makers: Mapping[str, str] = field(default_factory=dict)


class Side(Protocol):
    """One corner of a pair, which can be run again and recorded."""

    @property
    def corner(self) -> CornerId:
        """Identity of the corner."""

    def file(self, part: str) -> Path | None:
        """Return the ONNX file of a part; None for a framework."""

    def record(self, exchange: Exchange, part: str, number: int, call: Caller) -> Recording:
        """Run a case again, and return its intermediate tensors.

        Raises:
            ProcessError: The run fails.
        """


@dataclass(frozen=True)
class FrameworkSide:
    """A framework's own model, recorded layer by layer.

    Attributes:
        corner: Identity of the corner.
        model: Model to run.
    """

    corner: CornerId
    model: FrameworkModel

    def file(self, part: str) -> Path | None:
        """Return None: a framework has no file."""
        return None

    def record(self, exchange: Exchange, part: str, number: int, call: Caller) -> Recording:
        """See `Side.record`."""
        name = f"{self.corner.name}-{part}-{number}"
        call(record_layers, self.model, exchange.folder, name, part, number)
        return Recording(exchange.recording(name))


@dataclass(frozen=True)
class FileSide:
    """Exported files, recorded tensor by tensor.

    Attributes:
        corner: Identity of the corner.
        paths: Files by part.
    """

    corner: CornerId
    paths: Mapping[str, Path]

    def file(self, part: str) -> Path | None:
        """Return the file of a part."""
        return self.paths[part]

    def record(self, exchange: Exchange, part: str, number: int, call: Caller) -> Recording:
        """See `Side.record`."""
        name = f"{self.corner.name}-{part}-{number}"
        makers: dict[str, str] = call(record_tensors, self.paths[part], exchange.folder, name, part, number)
        return Recording(exchange.recording(name), makers)


@dataclass(frozen=True)
class Search:
    """The search for the layer in which the two corners of a pair diverge.

    Attributes:
        pair: Pair that disagrees. Its first corner is a framework.
        first: First corner of the pair.
        second: Second corner of the pair.
        exchange: Folder of inputs and outputs.
        tolerance: Tolerance of the comparison.
        call: `call_isolated` or `call_in_process`.
        repro: Folder to write for the failing case; None for none.
    """

    pair: Pair
    first: Side
    second: Side
    exchange: Exchange
    tolerance: Tolerance
    call: Caller
    repro: Path | None = None

    def run(self) -> Located | None:
        """Look for the layer. Returns None when no failing case has outputs in both corners."""
        failing = self.pair.smallest_failure
        if failing is None:
            return None
        try:
            return self._locate(failing)
        except ProcessError as error:
            return Located(self.pair.name, failing.part, failing.report.case.name, problem=str(error))

    def _locate(self, failing: Compared) -> Located:
        part, number, case = failing.part, failing.number, failing.report.case.name
        expected, actual = (
            self.exchange.outputs(part, number, side.corner.name) or {} for side in (self.first, self.second)
        )
        wrong = [output.name for output in failing.report.outputs if output.problem]
        comparable = [name for name in wrong if name in expected and name in actual]
        layers = self.first.record(self.exchange, part, number, self.call).tensors
        recording = self.second.record(self.exchange, part, number, self.call)
        divergence = _divergence(layers, recording.tensors, expected, wrong)
        file = self.second.file(part)
        return Located(
            self.pair.name,
            part,
            case,
            divergence,
            recording.makers.get(_nearest(divergence), ""),
            {} if file is None else self._levels(file, failing, expected),
            tuple(swapped_outputs(expected, actual, comparable)),
            None if self.repro is None or file is None else self._write_repro(self.repro, file, failing, expected),
        )

    def _levels(self, file: Path, failing: Compared, expected: Arrays) -> dict[str, bool]:
        """Return whether a file agrees at each level of optimisation."""
        case = failing.report.case
        found = self.call(run_at_levels, file, self.exchange.folder, failing.part, failing.number)
        return {
            level: not isinstance(outputs, str) and not compare(case, expected, outputs, self.tolerance).problems
            for level, outputs in found.items()
        }

    def _write_repro(self, folder: Path, file: Path, failing: Compared, expected: Arrays) -> Path:
        inputs = self.exchange.inputs(failing.part, failing.number)
        about = {"pair": self.pair.name, "case": failing.report.case.name}
        return write_repro(folder, file, inputs, expected, about)


def _divergence(layers: Arrays, tensors: Arrays, expected: Arrays, wrong: Sequence[str]) -> Divergence:
    """Return the first layer that differs; none when the expected outputs are computed, and others are returned."""
    found = first_divergent(layers, tensors)
    if all(name in expected and holds(tensors, expected[name]) for name in wrong):
        return replace(found, first=None, before=None)
    return found


def _nearest(divergence: Divergence) -> str:
    """Return the name of the tensor that resembles the output of the first layer that differs; empty when none does."""
    first = divergence.first
    near = first is not None and first.error is not None and first.error <= _NEAR
    return first.nearest or "" if first is not None and near else ""
