"""Wall time, and how much of the machine others took meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

_IDLE = ("idle", "iowait")
_COUNTED_ELSEWHERE = ("guest", "guest_nice")
"""In user and nice, too (``man 5 proc``)."""
_TELLING_S = 0.5
"""Linux counts in hundredths of a second: a shorter span cannot tell ours from others'."""


@dataclass(frozen=True)
class Span:
    """A span of work.

    Attributes:
        seconds: wall time.
        others_s: processor time that others took meanwhile; of a short span it may be off, below zero too.
    """

    seconds: float = 0.0
    others_s: float = 0.0

    def __add__(self, other: Span) -> Span:
        return Span(self.seconds + other.seconds, self.others_s + other.others_s)

    @property
    def others_cpus(self) -> float | None:
        """Processors that others kept busy, on average: 0 on a machine of one's own, None of too short a span to tell."""
        return None if self.seconds < _TELLING_S else max(0.0, self.others_s / self.seconds)


class Stopwatch:
    """Wall time from its making on, and what other processes took of the machine meanwhile."""

    def __init__(self) -> None:
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._start = time.perf_counter()

    def stop(self) -> Span:
        """The span so far."""
        seconds = time.perf_counter() - self._start
        return Span(seconds, (_busy_seconds() - self._busy) - (_own_seconds() - self._own))


def _busy_seconds() -> float:
    """Processor time that all processes have taken since the machine started."""
    import psutil

    times = psutil.cpu_times()._asdict()
    return float(sum(value for name, value in times.items() if name not in (*_IDLE, *_COUNTED_ELSEWHERE)))


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system
