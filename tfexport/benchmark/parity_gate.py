"""The parity gate: an engine whose outputs disagree with the reference gets no number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.validation import Tolerance, compare_output

TOKENS = "tokens"
_FACTORS = {"fp32": 1.0, "tf32": 100.0, "fp16": 500.0, "bf16": 2000.0}
"""Factors on the tolerance of float32, by precision. The rounding of one product is 1, 8192, 8192 and 65536 times as large with
24, 11, 11 and 8 bits of mantissa; sums average most of it out."""


def tolerance_of(precision: str, atol: float, rtol: float) -> Tolerance:
    """Return the tolerance of a precision."""
    return Tolerance(atol * _FACTORS[precision], rtol * _FACTORS[precision])


def compare(
    reference: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], tolerance: Tolerance
) -> dict[str, Any]:
    """Compare the outputs of an engine with those of the reference, by name.

    Returns:
        ``problem``, None when they agree; ``max_abs_error`` and ``allowed`` of the worst output.
    """
    missing = [name for name in reference if name not in outputs]
    if missing:
        return {"problem": f"it lacks the outputs {', '.join(missing)}; it has {', '.join(outputs)}"}
    if TOKENS in reference:
        return {"problem": _differing(outputs[TOKENS], reference[TOKENS]), "tokens": int(reference[TOKENS].size)}
    reports = [compare_output(name, reference[name], outputs[name], tolerance) for name in reference]
    problems = [f"{each.name} {each.problem}" for each in reports if each.problem]
    worst = max(reports, key=lambda each: each.max_abs_error / each.allowed if each.allowed else 0.0)
    return {
        "problem": "; ".join(problems) or None,
        "output": worst.name,
        "max_abs_error": worst.max_abs_error,
        "allowed": worst.allowed,
        "reference_max": worst.reference_max,
    }


def _differing(written: np.ndarray, reference: np.ndarray) -> str | None:
    """Return where a text first differs from the reference's; None when they are the same."""
    if written.shape != reference.shape:
        return f"the tokens have shape {written.shape}, expected {reference.shape}"
    steps, rows = np.nonzero((written != reference).T)
    if not len(steps):
        return None
    step, row = int(steps[0]), int(rows[0])
    return f"token {step + 1} of row {row} is {written[row, step]}, expected {reference[row, step]}"
