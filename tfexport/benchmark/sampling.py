"""The ends of warming up and of measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEADY = 0.02
"""Largest relative difference between the medians of two successive spans of steady calls."""
SPAN = 5
"""Calls whose median is compared with the median of as many calls before."""
LEAST_CALLS = 2
"""Smallest number of warm-up calls, however long they take."""
WARM_UP_S = 10.0
WARM_UP_CALLS = 200
PRECISION = 0.03
"""Half of a median's interval, relative to the median, at which a measurement ends."""


@dataclass(frozen=True)
class WarmUp:
    """Warm-up of a cell.

    Attributes:
        values: Time of each call.
        steady: Whether the times became steady before a limit was reached.
    """

    values: tuple[float, ...]
    steady: bool


def warm_up(
    call: Callable[[], float], seconds: float = WARM_UP_S, calls: int = WARM_UP_CALLS, per_second: float = 1.0
) -> WarmUp:
    """Make calls until their times are steady, or a limit is reached.

    Args:
        call: Function that makes one call and returns its time.
        seconds: Limit of the time.
        calls: Limit of the number of calls.
        per_second: Units of time per second.
    """
    values: list[float] = []
    while len(values) < LEAST_CALLS or (len(values) < calls and sum(values) < seconds * per_second):
        values.append(call())
        if is_steady(values):
            return WarmUp(tuple(values), True)
    return WarmUp(tuple(values), False)


def is_steady(values: list[float]) -> bool:
    """Return whether the last calls took as long as those before them."""
    if len(values) < 2 * SPAN:
        return False
    before, last = (float(np.median(values[start:end])) for start, end in ((-2 * SPAN, -SPAN), (-SPAN, len(values))))
    return abs(last - before) <= STEADY * before
