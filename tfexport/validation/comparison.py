"""Compare two sets of outputs, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tfexport.validation.cases import Case
from tfexport.validation.reports import NOTHING, CaseReport, OutputReport
from tfexport.validation.tolerance import Tolerance

_FEW = 5
_SMALL = 1e-3


def compare(
    case: Case, reference: Mapping[str, np.ndarray], onnx: Mapping[str, np.ndarray], tolerance: Tolerance
) -> CaseReport:
    """Compare the outputs of one case, by name. A missing or an extra output is a problem, as is any NaN."""
    missing = [name for name in reference if name not in onnx]
    extra = [name for name in onnx if name not in reference]
    problem = None
    if missing or extra:
        problem = f"outputs missing from the file: {missing or 'none'}; outputs only in the file: {extra or 'none'}"
    outputs = tuple(compare_output(name, reference[name], onnx[name], tolerance) for name in reference if name in onnx)
    return CaseReport(case, outputs, problem)


def compare_output(name: str, reference: np.ndarray, onnx: np.ndarray, tolerance: Tolerance) -> OutputReport:
    """Compare one output: shape, dtype, values that are not finite, and the largest error.

    NaN or infinity fails the comparison unless the source has the same value at the same position.
    """
    allowed = tolerance.allowed(reference) if reference.dtype.kind == "f" else 0.0
    magnitudes = np.abs(reference[np.isfinite(reference)]) if reference.dtype.kind in "fiu" else None
    plain = OutputReport(
        name,
        tuple(reference.shape),
        NOTHING,
        NOTHING,
        allowed,
        NOTHING if magnitudes is None else float(magnitudes.max(initial=0.0)),
        None,
    )
    if reference.shape != onnx.shape:
        return replace(plain, problem=f"shape {onnx.shape}, expected {reference.shape}")
    if reference.dtype != onnx.dtype:
        return replace(plain, problem=f"dtype {onnx.dtype}, expected {reference.dtype}")
    if reference.size == 0:
        return replace(plain, problem="empty: nothing was compared")
    finite = np.isfinite(reference)
    not_finite = _not_finite_alike(reference, onnx)
    if not_finite is not None:
        return replace(plain, problem=not_finite)
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


def _not_finite_alike(reference: np.ndarray, onnx: np.ndarray) -> str | None:
    """Describe values that are not finite; None where there are none, or the same ones at the same positions in both."""
    if np.isfinite(onnx).all() and np.isfinite(reference).all():
        return None
    if np.isfinite(reference).all():
        return f"the file returns {_count_bad(onnx)} where the source is finite"
    if not np.isfinite(reference).any():
        return f"the source itself returns {_count_bad(reference)} here: nothing can be compared"
    alike = (reference == onnx) | (np.isnan(reference) & np.isnan(onnx))
    if not np.where(np.isfinite(reference), np.isfinite(onnx), alike).all():
        return f"the source itself returns {_count_bad(reference)} here, and the file {_count_bad(onnx)}, or at other positions"
    return None


def _measured(
    plain: OutputReport, reference: np.ndarray, onnx: np.ndarray, difference: np.ndarray, finite: np.ndarray
) -> OutputReport:
    """Complete a report with every measure of the difference of two float64 arrays of one shape."""
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
        cosine=float(reference[finite] @ onnx[finite] / lengths) if lengths else NOTHING,
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
