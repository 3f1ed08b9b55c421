"""Wall time, and the processor time of other processes in the meantime."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

_IDLE = ("idle", "iowait")
_COUNTED_ELSEWHERE = ("guest", "guest_nice")
"""Fields that the fields user and nice include (``man 5 proc``)."""
_SHORTEST_S = 0.5
"""Shortest span in which our processor time and that of others can be separated: Linux counts in hundredths of a second."""


@dataclass(frozen=True)
class Span:
    """A span of time.

    Attributes:
        seconds: Wall time.
        others_s: Processor time of other processes. For a short span it is inexact, and may be negative.
    """

    seconds: float = 0.0
    others_s: float = 0.0

    def __add__(self, other: Span) -> Span:
        return Span(self.seconds + other.seconds, self.others_s + other.others_s)

    @property
    def others_cpus(self) -> float | None:
        """Average number of processors that other processes kept busy; None when the span is too short."""
        return None if self.seconds < _SHORTEST_S else max(0.0, self.others_s / self.seconds)


class Stopwatch:
    """Measures wall time from its creation on, and the processor time of other processes in the meantime."""

    def __init__(self) -> None:
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._start = time.perf_counter()

    def stop(self) -> Span:
        """Return the span so far."""
        seconds = time.perf_counter() - self._start
        return Span(seconds, (_busy_seconds() - self._busy) - (_own_seconds() - self._own))


def _busy_seconds() -> float:
    """Return the processor time of all processes since the machine started."""
    import psutil

    times = psutil.cpu_times()._asdict()
    return float(sum(value for name, value in times.items() if name not in (*_IDLE, *_COUNTED_ELSEWHERE)))


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system
