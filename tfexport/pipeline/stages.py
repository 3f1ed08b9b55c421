"""The stages of an export: their names, times and peaks of memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tfexport.processes.memory import peak_rss_mib


class Stages:
    """The stages of an export so far.

    Args:
        announce: Called with the name of a stage as it begins; None for silence.

    Attributes:
        seconds: Time of each stage, by name.
        peak_rss_mib: Peak of the process's resident memory at the end of each stage, in MiB, by name.
    """

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        self._announce = announce
        self.seconds: dict[str, float] = {}
        self.peak_rss_mib: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce and time a block. The times of a stage that is entered again, by another route, are added."""
        if self._announce is not None:
            self._announce(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self.peak_rss_mib[name] = peak_rss_mib()
