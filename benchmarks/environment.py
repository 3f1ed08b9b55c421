"""What a measurement ran on, and how much of the machine others took meanwhile (Linux)."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfexport.manifest import installed_versions

_CLIENTS = ("optimum", "optimum-onnx")
_IDLE = (3, 4)  # idle and iowait of /proc/stat (``man 5 proc``)
_GUEST = 8
"""Columns from here on are counted in earlier ones already."""
_TELLING_S = 0.5
"""The kernel counts in hundredths of a second: a shorter span cannot tell ours from others'."""


def environment() -> dict[str, Any]:
    """Processor, memory, threads, load and versions, for a file of results."""
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "versions": {**installed_versions(), **_versions_of(_CLIENTS)},
    }


def cpu_model() -> str:
    """The processor's name, and the vector instructions that it has."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    vectors = [flag for flag in ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile") if flag in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(vectors) or 'no vector extensions named'})"


def _versions_of(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Span:
    """A span of work.

    Attributes:
        seconds: wall time.
        others_cpus: processors that others kept busy meanwhile, on average: 0 on a machine of one's own, None of a span
            that is too short to tell.
    """

    seconds: float
    others_cpus: float | None


class Stopwatch:
    """Wall time from its making on, and what other processes took of the machine meanwhile."""

    def __init__(self) -> None:
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._start = time.perf_counter()

    def stop(self) -> Span:
        """The span so far."""
        seconds = time.perf_counter() - self._start
        if seconds < _TELLING_S:
            return Span(seconds, None)
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return Span(seconds, max(0.0, others / seconds))


def _busy_seconds() -> float:
    """Processor time that all processes have taken since the machine started."""
    total, *_ = Path("/proc/stat").read_text().splitlines()
    columns = [int(column) for column in total.split()[1:]][:_GUEST]
    return sum(ticks for index, ticks in enumerate(columns) if index not in _IDLE) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system
