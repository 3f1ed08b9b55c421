"""When warming up ends, and when measuring does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEADY = 0.02
"""The medians of two spans of calls, one after the other, are at most this far apart."""
SPAN = 5
"""Calls whose median is compared with that of as many before."""
LEAST_CALLS = 2
"""That warm up, however long they take."""
WARM_UP_S = 10.0
WARM_UP_CALLS = 200
PRECISION = 0.03
"""Half the interval of a median, relative to it, that ends a measurement."""


@dataclass(frozen=True)
class WarmUp:
    """How a cell was warmed up.

    Attributes:
        values: time of each call.
        steady: whether they became steady before the limits of time and of calls.
    """

    values: tuple[float, ...]
    steady: bool


def warm_up(
    call: Callable[[], float], seconds: float = WARM_UP_S, calls: int = WARM_UP_CALLS, per_second: float = 1.0
) -> WarmUp:
    """Call until calls take what the ones before took, or a limit is reached.

    Args:
        call: makes one call, and returns its time.
        seconds: limit.
        calls: limit.
        per_second: units of time in a second.
    """
    values: list[float] = []
    while len(values) < LEAST_CALLS or (len(values) < calls and sum(values) < seconds * per_second):
        values.append(call())
        if is_steady(values):
            return WarmUp(tuple(values), True)
    return WarmUp(tuple(values), False)


def is_steady(values: list[float]) -> bool:
    """Whether the last calls took as long as those before them."""
    if len(values) < 2 * SPAN:
        return False
    before, last = (float(np.median(values[start:end])) for start, end in ((-2 * SPAN, -SPAN), (-SPAN, len(values))))
    return abs(last - before) <= STEADY * before
