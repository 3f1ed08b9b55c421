"""Memory of this process: its peak, and a limit of it."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_STATM = Path("/proc/self/statm")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files of the limit of a container's memory, of both versions of control groups."""
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_WORST_SCORE = "1000"


def peak_rss_mib() -> float:
    """Return the peak of this process's resident memory since it began, in MiB."""
    own = _status("VmHWM")  # the peak that getrusage tells is also that of the process which started this one
    if own is not None:
        return own / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)  # kilobytes on Linux, bytes on macOS


def rss_mib() -> float:
    """Return the resident memory of this process now, in MiB; its peak where the system does not tell."""
    if not _STATM.exists():
        return peak_rss_mib()
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine_mib() -> float:
    """Return the memory that this machine has, or that its container may use, in MiB."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [int(text) for file in _CGROUP_LIMITS if (text := _text(file)).isdigit()]
    return min(total, *limits, total) / 2**20


def _status(name: str) -> int | None:
    """Return a value of ``/proc/self/status`` in KiB; None where the system does not tell."""
    return next((int(line.split()[1]) for line in _text(_STATUS).splitlines() if line.startswith(f"{name}:")), None)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def limit_memory(mib: float) -> None:
    """Let this process allocate so much memory beside the memory that it has now, and make it the first victim of the kernel.

    The limit is of private writable memory (RLIMIT_DATA), not of address space: TensorFlow reserves address space for each
    thread, and never uses most of it. Only Linux has this limit; elsewhere nothing is limited.
    """
    data = _status("VmData")
    if data is None:
        return
    allowed = data * 1024 + int(mib * 2**20)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lower = [each for each in (soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(allowed, *lower, allowed), hard))
    with suppress(OSError):  # a container may forbid it
        _OOM_SCORE.write_text(_WORST_SCORE)
