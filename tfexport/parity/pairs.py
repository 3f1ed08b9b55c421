"""Compare every pair of corners on every case."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.run_result import RunResult
from tfexport.validation import Case, CaseReport, OutputReport, Tolerance, compare


@dataclass(frozen=True)
class Compared:
    """One case of one part in two corners.

    Attributes:
        part: Part of the model.
        number: Number of the case.
        report: Result of the comparison.
    """

    part: str
    number: int
    report: CaseReport


@dataclass(frozen=True)
class Pair:
    """Two corners, compared.

    Attributes:
        first: Corner that is the reference.
        second: Corner that is compared with it.
        compared: Every case.
    """

    first: CornerId
    second: CornerId
    compared: tuple[Compared, ...]

    @property
    def name(self) -> str:
        """Name in reports: ``tf and onnx-tf``."""
        return f"{self.first.name} and {self.second.name}"

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems of all cases."""
        return tuple(problem for each in self.compared for problem in each.report.problems)

    @property
    def outputs(self) -> tuple[OutputReport, ...]:
        """Every output of every case that was compared."""
        return tuple(output for each in self.compared for output in each.report.outputs)

    @property
    def agrees(self) -> bool:
        """Whether at least one output was compared, and all of them agreed."""
        return bool(self.outputs) and not self.problems

    @property
    def frameworks(self) -> bool:
        """Whether both corners are frameworks, so that their difference is the noise of the model."""
        return self.first.kind == self.second.kind == "framework"

    @property
    def own(self) -> bool:
        """Whether it is a framework and its own file on the CPU, or the two frameworks: other pairs follow from these."""
        own_file = self.second == CornerId(self.first.framework, "file", CPU)
        return self.frameworks or (self.first.kind == "framework" and own_file)

    @property
    def worst(self) -> OutputReport | None:
        """Output whose error is the largest share of what is allowed; None when nothing was compared."""
        counted = [output for output in self.outputs if not math.isnan(output.max_abs_error)]
        return max(counted, key=lambda output: output.max_abs_error / (output.allowed or 1e-300), default=None)

    @property
    def largest(self) -> OutputReport | None:
        """Output with the largest error; None when nothing was compared. Another one may be nearer to its limit."""
        counted = [output for output in self.outputs if not math.isnan(output.max_abs_error)]
        return max(counted, key=lambda output: output.max_abs_error, default=None)

    @property
    def smallest_failure(self) -> Compared | None:
        """Failing case with the fewest elements, in which a cause is found most easily; None when no case fails.

        A case whose values could be compared is preferred.
        """
        failing = [each for each in self.compared if each.report.problems and each.report.outputs]
        return min(failing, key=_difficulty, default=None)


def _difficulty(each: Compared) -> tuple[bool, int]:
    outputs = each.report.outputs
    return all(math.isnan(output.max_abs_error) for output in outputs), sum(math.prod(o.shape) for o in outputs)


def compare_corners(
    corners: Sequence[Corner], cases: Mapping[str, Sequence[Case]], exchange: Exchange, tolerance: Tolerance
) -> list[Pair]:
    """Compare every two corners that were run, on the cases that the first corner, which made the inputs, accepts.

    Frameworks compute different values at padded positions, and nobody reads them. Between corners of two frameworks those
    values only have to be finite.

    Args:
        corners: Corners. In each pair the earlier corner is the reference.
        cases: Cases of each part.
        exchange: Folder of inputs and outputs.
        tolerance: Tolerance of the comparison.
    """
    results = [(corner.id, corner.result) for corner in corners if corner.result is not None]
    if not results:
        return []
    comparison = _Comparison(cases, results[0][1], exchange, tolerance)
    return [
        Pair(first[0], second[0], tuple(comparison.compare(first, second)))
        for first, second in itertools.combinations(results, 2)
    ]


@dataclass(frozen=True)
class _Comparison:
    """Values that the comparisons of all pairs share."""

    cases: Mapping[str, Sequence[Case]]
    source: RunResult
    exchange: Exchange
    tolerance: Tolerance

    def compare(self, first: tuple[CornerId, RunResult], second: tuple[CornerId, RunResult]) -> Iterator[Compared]:
        for part, cases in self.cases.items():
            file = part if len(self.cases) > 1 else ""
            for number, case in enumerate(cases):
                if number not in self.source.problems.get(part, ()):
                    outputs, problem = self._case(part, number, case, first, second)
                    yield Compared(part, number, CaseReport(case, outputs, problem, file=file))

    def _case(
        self,
        part: str,
        number: int,
        case: Case,
        first: tuple[CornerId, RunResult],
        second: tuple[CornerId, RunResult],
    ) -> tuple[tuple[OutputReport, ...], str | None]:
        """Return the reports of all outputs, and the problem of the case as a whole."""
        expected, actual = (self.exchange.outputs(part, number, corner.name) for corner, _ in (first, second))
        if expected is None:
            return (), _reason(*first, part, number)
        if actual is None:
            return (), _reason(*second, part, number)
        if first[0].framework != second[0].framework:
            actual = _without_padding(expected, actual, self.exchange.inputs(part, number), self.source.labels[part])
        report = compare(case, expected, actual, self.tolerance)
        return report.outputs, report.problem


def _without_padding(
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    labels: Mapping[str, Mapping[int, str]],
) -> dict[str, np.ndarray]:
    """Return the second's outputs, with the first's values where a mask hides a position and both are finite."""
    masked = dict(second)
    for name, values in second.items():
        reference = first.get(name)
        if reference is None or reference.shape != values.shape or values.dtype.kind != "f":
            continue
        for mask_name, mask in inputs.items():
            axis = _axis_of(mask_name, mask, labels, name)
            if axis is None or mask.shape[1] < values.shape[axis] or values.shape[0] % mask.shape[0]:
                continue
            hidden = _hidden(mask, axis, values.shape)
            both = np.isfinite(values) & np.isfinite(reference)
            masked[name] = np.where(hidden & both, reference, masked[name])
    return masked


def _hidden(mask: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return where a mask ``(batch, length)`` hides a position along an axis, in a shape that broadcasts to an output's."""
    # RAG has one row for each document of a sample.
    rows = np.repeat(mask[:, -shape[axis] :], shape[0] // mask.shape[0], axis=0)
    hidden: np.ndarray = rows.reshape([size if at in (0, axis) else 1 for at, size in enumerate(shape)]) == 0
    return hidden


def _axis_of(mask_name: str, mask: np.ndarray, labels: Mapping[str, Mapping[int, str]], output: str) -> int | None:
    """Return the axis of an output along which a mask ``(batch, length)`` hides positions; None when there is none.

    A mask that covers a past too hides the last positions of that axis.
    """
    if not mask_name.endswith("attention_mask") or mask.ndim != 2:
        return None
    hides = labels.get(mask_name, {}).get(1)
    if hides is None:
        return None
    covered = {hides, hides.split(" + ")[-1]}
    return next((axis for axis, label in labels.get(output, {}).items() if axis and label in covered), None)


def _reason(corner: CornerId, result: RunResult, part: str, number: int) -> str:
    """Return why a corner has no outputs of a case."""
    return f"{corner.name}: {result.problems.get(part, {}).get(number, 'it was not run')}"


def noise(pairs: Iterable[Pair]) -> Mapping[tuple[str, int, str], float]:
    """Return the difference between the two frameworks, by part, case and output."""
    return {
        (each.part, each.number, output.name): output.max_abs_error
        for pair in pairs
        if pair.frameworks
        for each in pair.compared
        for output in each.report.outputs
    }
