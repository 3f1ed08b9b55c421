"""Name, time and announce the stages of a line."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """The stages passed so far, with what each took.

    Args:
        announce: called with a stage's name as it begins; None for silence.
    """

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        self._announce = announce
        self.seconds: dict[str, float] = {}
        self.peak_rss_mib: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block. A stage that is passed again (another route) adds up."""
        if self._announce is not None:
            self._announce(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self.peak_rss_mib[name] = peak_rss_mib()


def peak_rss_mib() -> float:
    """Peak resident memory of this process since it began, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)  # kilobytes on Linux, bytes on macOS
