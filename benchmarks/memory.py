"""Peak memory of this process over a span of work (Linux)."""

from __future__ import annotations

from pathlib import Path

_MIB = 1024


def resident_mib() -> float:
    """Resident memory now, in MiB."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Let the peak begin anew at what is resident now (``man 5 proc``, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Peak resident memory since the process began, or since `reset_peak`, in MiB."""
    return _status("VmHWM")


def virtual_mib() -> float:
    """Address space now, in MiB."""
    return _status("VmSize")


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / _MIB
    raise OSError(f"/proc/self/status has no {field}")
