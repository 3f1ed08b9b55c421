"""The difference between a file and its source that a validation allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfexport.keywords import not_negative

DEFAULT_RTOL = 2e-5
_BY_DTYPE = {"float16": 100.0, "float64": 1e-3}
"""Factors by which the tolerance of float32 is multiplied."""


@dataclass(frozen=True)
class Tolerance:
    """``|onnx - reference| <= atol + rtol * max|reference|``, for every element of an output.

    `rtol` is relative to the largest magnitude of the output, not to the element that is compared: the noise of a sum is as
    large as its largest terms, also where the result is near zero.

    Both are for float32. A hundred times as much is allowed for float16, whose epsilon is 8192 times that of float32, of which
    sums in float32 use little. A thousandth is allowed for float64. Integers and booleans must be equal.

    Attributes:
        atol: Absolute tolerance.
        rtol: Tolerance relative to the largest magnitude of an output.

    Raises:
        InputsError: A tolerance is negative, infinite or NaN.
    """

    atol: float
    rtol: float = DEFAULT_RTOL

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            not_negative(name, value)

    def allowed(self, reference: np.ndarray) -> float:
        """Return the largest absolute error that is allowed for an output."""
        finite = np.abs(reference[np.isfinite(reference)])
        return _BY_DTYPE.get(reference.dtype.name, 1.0) * (self.atol + self.rtol * float(finite.max(initial=0.0)))
