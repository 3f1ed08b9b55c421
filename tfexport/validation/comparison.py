"""Compare two sets of outputs, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tfexport.errors import InputsError
from tfexport.validation.cases import Case

DEFAULT_RTOL = 2e-5
_NOTHING = float("nan")
_FEW = 5
_SMALL = 1e-3
_BY_DTYPE = {"float16": 100.0, "float64": 1e-3}
"""How many times the tolerance of float32."""


@dataclass(frozen=True)
class Tolerance:
    """``|onnx - reference| <= atol + rtol * max|reference|``, for every element of an output.

    `rtol` is relative to the largest magnitude in the output, not to the element compared: the noise of a sum is as
    large as its largest terms, also where the result is near zero.

    Both are for float32. Of a coarser dtype a hundred times as much is allowed (float16; its epsilon is 8192 times that of
    float32, of which sums in float32 use little), of float64 a thousandth; integers and booleans are equal or not.

    Raises:
        InputsError: a tolerance that is negative, infinite or no number.
    """

    atol: float
    rtol: float = DEFAULT_RTOL

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise InputsError(f"{name} is {value}; expected a finite number, zero or more.")

    def allowed(self, reference: np.ndarray) -> float:
        """The largest absolute error allowed for an output."""
        finite = np.abs(reference[np.isfinite(reference)])
        return _BY_DTYPE.get(reference.dtype.name, 1.0) * (self.atol + self.rtol * float(finite.max(initial=0.0)))


@dataclass(frozen=True)
class OutputReport:
    """One output of one case.

    Attributes:
        name: of the output.
        shape: of the reference.
        max_abs_error: largest absolute difference; NaN when nothing could be compared.
        mean_abs_error: mean absolute difference.
        allowed: what the tolerance allows.
        reference_max: largest magnitude in the reference.
        problem: None when it agrees, else why it does not.
        p99_abs_error: what 99 % of the absolute differences stay within.
        max_rel_error: largest difference relative to the element, of elements of a thousandth of the largest one or more.
        cosine: of the angle between the two, as vectors.
        same_first: of logits, the share of rows whose largest element is the same one.
        same_five: of logits, the mean share of the five largest elements that both have.
        worst: where the largest difference is; None when nothing was compared.
    """

    name: str
    shape: tuple[int, ...]
    max_abs_error: float
    mean_abs_error: float
    allowed: float
    reference_max: float
    problem: str | None
    p99_abs_error: float = _NOTHING
    max_rel_error: float = _NOTHING
    cosine: float = _NOTHING
    same_first: float | None = None
    same_five: float | None = None
    worst: tuple[int, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = vars(self) | {"shape": list(self.shape), "worst": None if self.worst is None else list(self.worst)}
        return {name: json_number(value) if isinstance(value, float) else value for name, value in told.items()}


@dataclass(frozen=True)
class CaseReport:
    """One case.

    Attributes:
        case: what was compared on.
        outputs: one report an output.
        problem: of the case as a whole (the session failed, an output is missing); None when there is none.
        file: the file, in an export of several; empty in one of one.
    """

    case: Case
    outputs: tuple[OutputReport, ...]
    problem: str | None = None
    file: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, with the case's name."""
        found = [] if self.problem is None else [self.problem]
        found += [f"{output.name}: {output.problem}" for output in self.outputs if output.problem]
        where = f"{self.file}, {self.case.name}" if self.file else self.case.name
        return tuple(f"[{where}] {problem}" for problem in found)


@dataclass(frozen=True)
class GenerationReport:
    """What came of writing text.

    Attributes:
        files: the files that wrote it.
        batch: rows.
        prompt: tokens before the first that was written, padding included.
        steps: tokens written a row.
        max_abs_error: largest absolute difference of a logit, over all steps.
        allowed: what the tolerance allows.
        first_difference: the step, counted from 0, at which a token is not the model's; None when all are.
        ties: tokens that differ where the model's two best are closer than the tolerance.
        problem: None when all agrees, else what does not.
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


@dataclass(frozen=True)
class ValidationReport:
    """The verdict.

    Attributes:
        tolerance: what was allowed.
        cases: one report a case.
        problem: why no case could be run at all; None when they were run.
        generation: what files with a cache wrote, one report a way to write.
    """

    tolerance: Tolerance
    cases: tuple[CaseReport, ...] = field(default=())
    problem: str | None = None
    generation: tuple[GenerationReport, ...] = field(default=())

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong; empty when the file is valid."""
        found: tuple[str, ...] = () if self.problem is None else (self.problem,)
        found += tuple(problem for case in self.cases for problem in case.problems)
        return found + tuple(f"[generation] {told.problem}" for told in self.generation if told.problem)

    @property
    def passed(self) -> bool:
        """Whether something was compared, and all of it agreed."""
        return not self.problems and any(case.outputs for case in self.cases)

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error over all cases and outputs; NaN when nothing was compared."""
        errors = [output.max_abs_error for case in self.cases for output in case.outputs]
        errors += [told.max_abs_error for told in self.generation]
        return max(errors, default=float("nan"))


def json_number(value: float | None) -> float | None:
    """A number, or None for one that JSON does not have: NaN or an infinity."""
    return value if value is not None and math.isfinite(value) else None


def combine(
    tolerance: Tolerance, reports: Mapping[str, ValidationReport], generation: Iterable[GenerationReport]
) -> ValidationReport:
    """One report of several files, by their names without ``.onnx``."""
    if len(reports) == 1:
        return replace(next(iter(reports.values())), generation=tuple(generation))
    problems = [f"{name}.onnx: {report.problem}" for name, report in reports.items() if report.problem]
    cases = tuple(replace(case, file=f"{name}.onnx") for name, report in reports.items() for case in report.cases)
    return ValidationReport(tolerance, cases, "; ".join(problems) or None, tuple(generation))


def compare(
    case: Case, reference: Mapping[str, np.ndarray], onnx: Mapping[str, np.ndarray], tolerance: Tolerance
) -> CaseReport:
    """Compare the outputs of one case. A missing or an extra output is a problem; so is any NaN."""
    missing = [name for name in reference if name not in onnx]
    extra = [name for name in onnx if name not in reference]
    problem = None
    if missing or extra:
        problem = f"outputs missing from the file: {missing or 'none'}; outputs only in the file: {extra or 'none'}"
    outputs = tuple(compare_output(name, reference[name], onnx[name], tolerance) for name in reference if name in onnx)
    return CaseReport(case, outputs, problem)


def compare_output(name: str, reference: np.ndarray, onnx: np.ndarray, tolerance: Tolerance) -> OutputReport:
    """Compare one output: shape, dtype, what is not finite, and the largest error.

    NaN and infinity fail, but where the source has the very same at the very same places.
    """
    allowed = tolerance.allowed(reference) if reference.dtype.kind == "f" else 0.0
    magnitudes = np.abs(reference[np.isfinite(reference)]) if reference.dtype.kind in "fiu" else None
    plain = OutputReport(
        name,
        tuple(reference.shape),
        _NOTHING,
        _NOTHING,
        allowed,
        _NOTHING if magnitudes is None else float(magnitudes.max(initial=0.0)),
        None,
    )
    if reference.shape != onnx.shape:
        return replace(plain, problem=f"shape {onnx.shape}, expected {reference.shape}")
    if reference.dtype != onnx.dtype:
        return replace(plain, problem=f"dtype {onnx.dtype}, expected {reference.dtype}")
    if reference.size == 0:
        return replace(plain, problem="empty: nothing was compared")
    finite = np.isfinite(reference)
    strange = _differently_strange(reference, onnx)
    if strange is not None:
        return replace(plain, problem=strange)
    wide, found = reference.astype(np.float64), onnx.astype(np.float64)
    difference = np.abs(np.subtract(found, wide, where=finite, out=np.zeros_like(wide)))
    report = _measured(plain, wide, found, difference, finite)
    if report.max_abs_error <= allowed:
        return report
    index = report.worst or ()
    share = float((difference > allowed).mean())
    return replace(
        report,
        problem=f"differs by {report.max_abs_error:.3g} at {index} ({_show(onnx[index])} for {_show(reference[index])}); "
        f"{allowed:.3g} is allowed, {share:.1%} of the elements exceed it",
    )


def _differently_strange(reference: np.ndarray, onnx: np.ndarray) -> str | None:
    """What is wrong with values that are not finite; None where there are none, or the same ones at the same places."""
    if np.isfinite(onnx).all() and np.isfinite(reference).all():
        return None
    if np.isfinite(reference).all():
        return f"the file gives {_count_bad(onnx)} where the source is finite"
    if not np.isfinite(reference).any():
        return f"the source itself gives {_count_bad(reference)} here: nothing can be compared"
    alike = (reference == onnx) | (np.isnan(reference) & np.isnan(onnx))
    if not np.where(np.isfinite(reference), np.isfinite(onnx), alike).all():
        return (
            f"the source itself gives {_count_bad(reference)} here, and the file {_count_bad(onnx)}, or at other places"
        )
    return None


def _measured(
    plain: OutputReport, reference: np.ndarray, onnx: np.ndarray, difference: np.ndarray, finite: np.ndarray
) -> OutputReport:
    """A report with every measure of a difference, of float64 arrays of one shape."""
    compared, magnitudes = difference[finite], np.abs(reference[finite])
    large = magnitudes >= max(_SMALL * magnitudes.max(), np.finfo(np.float64).tiny)
    lengths = np.linalg.norm(reference[finite]) * np.linalg.norm(onnx[finite])
    rows = plain.name.endswith("logits") and plain.shape[-1:] > (1,) and bool(finite.all())
    return replace(
        plain,
        max_abs_error=float(difference.max()),
        mean_abs_error=float(compared.mean()),
        p99_abs_error=float(np.percentile(compared, 99)),
        max_rel_error=float((compared[large] / magnitudes[large]).max(initial=0.0)),
        cosine=float(reference[finite] @ onnx[finite] / lengths) if lengths else _NOTHING,
        same_first=float((reference.argmax(-1) == onnx.argmax(-1)).mean()) if rows else None,
        same_five=_same_few(reference, onnx) if rows else None,
        worst=tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape)),
    )


def _same_few(reference: np.ndarray, onnx: np.ndarray) -> float:
    few = min(_FEW, reference.shape[-1])
    largest = [np.argpartition(each, -few, axis=-1)[..., -few:] for each in (reference, onnx)]
    shared = (largest[0][..., :, None] == largest[1][..., None, :]).any(-1)
    return float(shared.mean())


def _count_bad(array: np.ndarray) -> str:
    return f"{int(np.isnan(array).sum())} NaN and {int(np.isinf(array).sum())} infinite of {array.size} elements"


def _show(value: Any) -> str:
    return f"{float(value):.6g}"
