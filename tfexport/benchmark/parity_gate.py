"""The gate: outputs that disagree with the reference get no number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.validation.comparison import Tolerance, compare_output

TOKENS = "tokens"
_LOOSE = {"fp32": 1.0, "tf32": 100.0, "fp16": 500.0, "bf16": 2000.0}
"""How much more a precision may differ than float32 may. Of a product of two numbers with 24, 11, 11 and 8 bits of mantissa, one
rounding is 1, 8192, 8192 and 65536 times as large; sums average most of it out."""


def tolerance_of(precision: str, atol: float, rtol: float) -> Tolerance:
    """What a precision allows."""
    return Tolerance(atol * _LOOSE[precision], rtol * _LOOSE[precision])


def compare(
    reference: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], tolerance: Tolerance
) -> dict[str, Any]:
    """Compare what an engine gives with the reference, by name.

    Returns:
        ``problem``, None when they agree; ``max_abs_error`` and what is ``allowed`` of the worst output.
    """
    missing = [name for name in reference if name not in outputs]
    if missing:
        return {"problem": f"the output(s) {', '.join(missing)} are missing; there are {', '.join(outputs)}"}
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
    """Where a text first parts from the reference's; None when they are the same."""
    if written.shape != reference.shape:
        return f"the text has shape {written.shape}, expected {reference.shape}"
    steps, rows = np.nonzero((written != reference).T)
    if not len(steps):
        return None
    step, row = int(steps[0]), int(rows[0])
    return f"token {step + 1} of row {row} is {written[row, step]}, expected {reference[row, step]}"
