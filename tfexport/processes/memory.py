"""Memory of this process: its peak, and a limit of it."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_WORST_SCORE = "1000"


def peak_rss_mib() -> float:
    """Return the peak of this process's resident memory since it began, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)  # kilobytes on Linux, bytes on macOS


def limit_memory(mib: int) -> None:
    """Let this process allocate so much memory beside the memory that it has now, and make it the first victim of the kernel.

    The limit is of private writable memory (RLIMIT_DATA), not of address space: TensorFlow reserves address space for each
    thread, and never uses most of it. Only Linux has this limit; elsewhere nothing is limited.
    """
    if sys.platform != "linux":
        return
    data = next(int(line.split()[1]) for line in _STATUS.read_text().splitlines() if line.startswith("VmData:"))
    allowed = data * 1024 + mib * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    with suppress(OSError):  # a container may forbid it
        _OOM_SCORE.write_text(_WORST_SCORE)
