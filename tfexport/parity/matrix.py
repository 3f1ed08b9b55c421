"""Every pair of corners, compared on every case."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfexport.parity.exchange import Exchange
from tfexport.parity.frameworks import Ran
from tfexport.validation.cases import Case
from tfexport.validation.comparison import CaseReport, OutputReport, Tolerance, compare


@dataclass(frozen=True)
class Corner:
    """Something that computes the model.

    Attributes:
        name: ``tf``, ``pt``, ``onnx-tf``, ``onnx-pt``, with the provider where that is not the CPU.
        ran: what it did; None where it could not be had.
        absent: why it could not be had.
        expected: whether it ought to be there: not where a framework is not installed, or has no class for the model.
    """

    name: str
    ran: Ran | None
    absent: str | None = None
    expected: bool = True

    @property
    def framework(self) -> str:
        """That it is, or that it was made from."""
        return self.name.split(" ")[0].removeprefix("onnx-")

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.name.startswith("onnx")

    @property
    def repeat(self) -> str | None:
        """What a second run of a case gave, for people; None where nothing was run twice."""
        if self.ran is None or not self.ran.spread:
            return None
        found = [(error, part, name) for part, each in self.ran.spread.items() for name, error in each.items()]
        if not found:
            return "two runs give the same, bit for bit"
        error, part, name = max(found)
        return f"two runs differ by {error:.2g} at most ({name if len(self.ran.spread) == 1 else f'{part}, {name}'})"


@dataclass(frozen=True)
class Compared:
    """One case of one part in two corners.

    Attributes:
        part: of the model.
        number: of the case.
        report: what came of it.
    """

    part: str
    number: int
    report: CaseReport


@dataclass(frozen=True)
class Pair:
    """Two corners.

    Attributes:
        first: the one that is the reference.
        second: the other.
        compared: every case.
    """

    first: str
    second: str
    compared: tuple[Compared, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.first} and {self.second}"

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong."""
        return tuple(problem for each in self.compared for problem in each.report.problems)

    @property
    def outputs(self) -> tuple[OutputReport, ...]:
        """Every output of every case that was compared."""
        return tuple(output for each in self.compared for output in each.report.outputs)

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and all of it agreed."""
        return bool(self.outputs) and not self.problems

    @property
    def worst(self) -> OutputReport | None:
        """The output that comes nearest to what is allowed, or exceeds it the most."""
        counted = [output for output in self.outputs if not math.isnan(output.max_abs_error)]
        return max(counted, key=lambda output: output.max_abs_error / (output.allowed or 1e-300), default=None)

    @property
    def smallest_failure(self) -> Compared | None:
        """The failing case with the fewest elements, which is where to look for its cause; None where none fails.

        One whose values could be compared, if there is such a one.
        """
        failing = [each for each in self.compared if each.report.problems and each.report.outputs]
        return min(failing, key=_difficulty, default=None)


def _difficulty(each: Compared) -> tuple[bool, int]:
    outputs = each.report.outputs
    return all(math.isnan(output.max_abs_error) for output in outputs), sum(math.prod(o.shape) for o in outputs)


def compare_corners(
    corners: Sequence[Corner], cases: Mapping[str, Sequence[Case]], exchange: Exchange, tolerance: Tolerance
) -> list[Pair]:
    """Compare each two corners that could be had, on the cases that the first of all, which made the inputs, takes itself.

    What frameworks make of padding differs, and nobody reads it: between corners of two frameworks it is compared for being
    finite alone.

    Args:
        corners: those before others are the reference of a pair.
        cases: of each part.
        exchange: where their outputs lie.
        tolerance: what is allowed.
    """
    had = [corner for corner in corners if corner.ran is not None]
    if not had:
        return []
    source = had[0].ran
    assert source is not None
    return [
        Pair(first.name, second.name, tuple(_compare(first, second, cases, source, exchange, tolerance)))
        for first, second in itertools.combinations(had, 2)
    ]


def _compare(
    first: Corner,
    second: Corner,
    cases: Mapping[str, Sequence[Case]],
    source: Ran,
    exchange: Exchange,
    tolerance: Tolerance,
) -> Iterable[Compared]:
    for part, listed in cases.items():
        for number, case in enumerate(listed):
            if number in source.problems.get(part, ()):
                continue
            found = [exchange.outputs(part, number, corner.name) for corner in (first, second)]
            if found[0] is None or found[1] is None:
                problem = next(
                    _why(corner, part, number)
                    for corner, each in zip((first, second), found, strict=True)
                    if each is None
                )
                yield Compared(part, number, CaseReport(case, (), problem, file=_file(part, cases)))
                continue
            if first.framework != second.framework:
                found[1] = _where_seen(found[0], found[1], exchange.inputs(part, number), source.labels[part])
            report = compare(case, found[0], found[1], tolerance)
            yield Compared(part, number, CaseReport(case, report.outputs, report.problem, file=_file(part, cases)))


def _where_seen(
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    labels: Mapping[str, Mapping[int, str]],
) -> dict[str, np.ndarray]:
    """The second's outputs, with the first's values where a mask hides a position and both are finite."""
    masked = dict(second)
    for name, values in second.items():
        reference = first.get(name)
        if reference is None or reference.shape != values.shape or values.dtype.kind != "f":
            continue
        for mask_name, mask in inputs.items():
            axis = _axis_of(mask_name, mask, labels, name)
            if axis is None or mask.shape[1] < values.shape[axis] or values.shape[0] % mask.shape[0]:
                continue
            rows = np.repeat(
                mask[:, -values.shape[axis] :], values.shape[0] // mask.shape[0], axis=0
            )  # RAG: a row for each document of a sample
            hidden = rows.reshape([size if at in (0, axis) else 1 for at, size in enumerate(values.shape)]) == 0
            both = np.isfinite(values) & np.isfinite(reference)
            masked[name] = np.where(hidden & both, reference, masked[name])
    return masked


def _axis_of(mask_name: str, mask: np.ndarray, labels: Mapping[str, Mapping[int, str]], output: str) -> int | None:
    """The axis of an output along which a mask ``(batch, length)`` hides positions; its last ones, of a mask over a past too."""
    if not mask_name.endswith("attention_mask") or mask.ndim != 2:
        return None
    hides = labels.get(mask_name, {}).get(1)
    if hides is None:
        return None
    covered = {hides, hides.split(" + ")[-1]}
    return next((axis for axis, label in labels.get(output, {}).items() if axis and label in covered), None)


def _why(corner: Corner, part: str, number: int) -> str:
    assert corner.ran is not None
    told = corner.ran.problems.get(part, {}).get(number, "it was not run")
    return f"{corner.name}: {told}"


def _file(part: str, cases: Mapping[str, Sequence[Case]]) -> str:
    return part if len(cases) > 1 else ""


def noise(pairs: Iterable[Pair]) -> Mapping[tuple[str, int, str], float]:
    """What the two source frameworks differ by: of each part, case and output."""
    found = {}
    for pair in pairs:
        if {pair.first, pair.second} == {"tf", "pt"}:
            for each in pair.compared:
                for output in each.report.outputs:
                    found[each.part, each.number, output.name] = output.max_abs_error
    return found
