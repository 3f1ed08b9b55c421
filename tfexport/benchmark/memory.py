"""Memory of this process, and GPU memory of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tfexport.processes.memory import peak_rss_mib

_KIB_PER_MIB = 1024
_STATUS = Path("/proc/self/status")


def resident_mib() -> float:
    """Return the resident memory now, in MiB."""
    import psutil

    return float(psutil.Process().memory_info().rss / 2**20)


def virtual_mib() -> float:
    """Return the address space now, in MiB."""
    import psutil

    return float(psutil.Process().memory_info().vms / 2**20)


def peak_mib() -> float:
    """Return the peak of resident memory since the process began or since `reset_peak`, in MiB."""
    # Not getrusage on Linux: there a process starts with the peak of its parent.
    return _status("VmHWM") if sys.platform == "linux" else peak_rss_mib()


def reset_peak() -> None:
    """Reset the peak to the memory that is resident now (Linux; ``man 5 proc``, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / _KIB_PER_MIB
    raise OSError(f"{_STATUS} has no {field}")


def gpu_mib() -> float | None:
    """Return the GPU memory of this process now, in MiB, over all devices; None without NVML, a GPU, or the permission."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        used = [
            running.usedGpuMemory
            for index in range(pynvml.nvmlDeviceGetCount())
            for running in pynvml.nvmlDeviceGetComputeRunningProcesses(pynvml.nvmlDeviceGetHandleByIndex(index))
            if running.pid == os.getpid() and running.usedGpuMemory is not None
        ]
        return sum(used) / 2**20 if used else None
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
