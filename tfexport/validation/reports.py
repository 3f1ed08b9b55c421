"""Reports of a validation: one per output, per case, per generated text, and one of all files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tfexport.validation.cases import Case
from tfexport.validation.tolerance import Tolerance

NOTHING = float("nan")
"""Error where nothing could be compared."""


@dataclass(frozen=True)
class OutputReport:
    """One output of one case.

    Attributes:
        name: Name of the output.
        shape: Shape of the reference.
        max_abs_error: Largest absolute difference; NaN when nothing could be compared.
        mean_abs_error: Mean absolute difference.
        allowed: Largest absolute difference that the tolerance allows.
        reference_max: Largest magnitude in the reference.
        problem: Reason of the disagreement; None when the output agrees.
        p99_abs_error: Bound of 99 % of the absolute differences.
        max_rel_error: Largest difference relative to the element, among elements of at least a thousandth of the largest one.
        cosine: Cosine of the angle between the two outputs, as vectors.
        same_first: Share of rows whose largest element is the same one; of logits only.
        same_five: Mean share of the five largest elements that both have; of logits only.
        worst: Index of the largest difference; None when nothing was compared.
    """

    name: str
    shape: tuple[int, ...]
    max_abs_error: float
    mean_abs_error: float
    allowed: float
    reference_max: float
    problem: str | None
    p99_abs_error: float = NOTHING
    max_rel_error: float = NOTHING
    cosine: float = NOTHING
    same_first: float | None = None
    same_five: float | None = None
    worst: tuple[int, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        worst = None if self.worst is None else list(self.worst)
        return _json_values(vars(self) | {"shape": list(self.shape), "worst": worst})


@dataclass(frozen=True)
class CaseReport:
    """One case.

    Attributes:
        case: The case.
        outputs: One report per output.
        problem: Problem of the case as a whole (the session failed, an output is missing); None when there is none.
        file: Name of the file, in an export of several files; empty in an export of one.
    """

    case: Case
    outputs: tuple[OutputReport, ...]
    problem: str | None = None
    file: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems, each with the name of the case."""
        found = [] if self.problem is None else [self.problem]
        found += [f"{output.name}: {output.problem}" for output in self.outputs if output.problem]
        where = f"{self.file}, {self.case.name}" if self.file else self.case.name
        return tuple(f"[{where}] {problem}" for problem in found)


@dataclass(frozen=True)
class GenerationReport:
    """One generated text.

    Attributes:
        files: Names of the files that generated it.
        batch: Number of rows.
        prompt: Number of tokens before the first generated one, padding included.
        steps: Number of tokens generated per row.
        max_abs_error: Largest absolute difference of a logit, over all steps.
        allowed: Largest absolute difference that the tolerance allows.
        first_difference: First step, counted from 0, at which a token is not the source's; None when all tokens are.
        ties: Number of tokens that differ where the source's two best logits are closer than the tolerance.
        problem: Reason of the disagreement; None when all agrees.
    """

    files: tuple[str, ...]
    batch: int
    prompt: int
    steps: int
    max_abs_error: float
    allowed: float
    first_difference: int | None = None
    ties: int = 0
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return _json_values(vars(self) | {"files": list(self.files)})


@dataclass(frozen=True)
class ValidationReport:
    """The result of a validation.

    Attributes:
        tolerance: The tolerance.
        cases: One report per case.
        problem: Reason why no case could be run; None when cases were run.
        generation: One report per way in which files with a cache generate text.
    """

    tolerance: Tolerance
    cases: tuple[CaseReport, ...] = field(default=())
    problem: str | None = None
    generation: tuple[GenerationReport, ...] = field(default=())

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems; empty when the file is valid."""
        found: tuple[str, ...] = () if self.problem is None else (self.problem,)
        found += tuple(problem for case in self.cases for problem in case.problems)
        return found + tuple(f"[generation] {text.problem}" for text in self.generation if text.problem)

    @property
    def passed(self) -> bool:
        """Whether something was compared, and all of it agreed."""
        return not self.problems and any(case.outputs for case in self.cases)

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error over all cases and outputs; NaN when nothing was compared."""
        errors = [output.max_abs_error for case in self.cases for output in case.outputs]
        errors += [text.max_abs_error for text in self.generation]
        return max(errors, default=NOTHING)


def json_number(value: float | None) -> float | None:
    """Return a number; None for NaN and infinity, which JSON does not have."""
    return value if value is not None and math.isfinite(value) else None


def _json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json_number(value) if isinstance(value, float) else value for name, value in values.items()}


def combine(
    tolerance: Tolerance, reports: Mapping[str, ValidationReport], generation: Iterable[GenerationReport]
) -> ValidationReport:
    """Combine the reports of several files, by the names of the files, into one."""
    if len(reports) == 1:
        return replace(next(iter(reports.values())), generation=tuple(generation))
    problems = [f"{name}: {report.problem}" for name, report in reports.items() if report.problem]
    cases = tuple(replace(case, file=name) for name, report in reports.items() for case in report.cases)
    return ValidationReport(tolerance, cases, "; ".join(problems) or None, tuple(generation))
