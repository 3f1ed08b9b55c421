"""The environment of a measurement: the machine, the processors that may be used, its load, and its software."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfexport.pipeline.manifest import installed_versions

_PACKAGES = (
    "openvino",
    "onnxruntime-genai",
    "optimum",
    "optimum-onnx",
    "psutil",
)
_VECTORS = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "sve",
)
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "GOMP_CPU_AFFINITY",
    "LD_PRELOAD",
    "MALLOC_CONF",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables that influence speed."""
_CGROUP = Path("/sys/fs/cgroup")
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")


def machine() -> dict[str, Any]:
    """Return the facts of a results file about the machine. None of them names the machine or its user."""
    import psutil

    return {
        "cpu": cpu_model(),
        "cpus": {
            "usable": usable_cpus(),
            "affinity": len(_affinity()),
            "cgroup_quota": cgroup_cpus(),
            "physical": psutil.cpu_count(logical=False),
            "logical": psutil.cpu_count(),
            "governor": _first_line(_CPU / "scaling_governor"),
            "frequency_mhz": _frequency(),
        },
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": load_average(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "versions": {**installed_versions(), **_versions(_PACKAGES)},
        "onnxruntime_build": _onnxruntime_build(),
    }


def load_average() -> list[float]:
    """Return the load averages of the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def usable_cpus() -> int:
    """Return the number of processors that this process may keep busy: those of its affinity, up to its cgroup's quota.

    ONNX Runtime, TensorFlow and PyTorch count the machine's processors (onnxruntime issue 29510), so that their threads are
    set explicitly.
    """
    quota = cgroup_cpus()
    return max(1, min(len(_affinity()), int(quota) if quota is not None else len(_affinity())))


def cgroup_cpus() -> float | None:
    """Return the number of processors that the cgroup's quota amounts to; None without a quota."""
    line = _first_line(_CGROUP / "cpu.max")
    if line is not None:
        quota, _, period = line.partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    quota_us, period_us = (_first_line(_CGROUP / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota_us is None or period_us is None or int(quota_us) < 0:
        return None
    return int(quota_us) / int(period_us)


def cpu_model() -> str:
    """Return the name of the processor, with its vector instructions."""
    fields: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    vectors = [flag for flag in _VECTORS if flag in flags]
    name = fields.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(vectors) or 'no vector extensions named'})"


def gpus() -> list[dict[str, Any]]:
    """Return the current state of each GPU that NVML reports; none without NVML."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    device = nvml.nvmlDeviceGetHandleByIndex(index)

    def query(name: str, *arguments: Any) -> Any:
        """Return a value of NVML; None when it is not supported on this GPU, or not permitted to this user."""
        try:
            return getattr(nvml, f"nvmlDeviceGet{name}")(device, *arguments)
        except nvml.NVMLError:
            return None

    memory = query("MemoryInfo")
    power = query("PowerUsage")
    return {
        "name": query("Name"),
        "driver": nvml.nvmlSystemGetDriverVersion(),
        "memory_gib": None if memory is None else round(memory.total / 2**30, 1),
        "sm_clock_mhz": query("ClockInfo", nvml.NVML_CLOCK_SM),
        "memory_clock_mhz": query("ClockInfo", nvml.NVML_CLOCK_MEM),
        "throttle_reasons": query("CurrentClocksThrottleReasons"),
        "power_w": None if power is None else power / 1000,
        "temperature_c": query("Temperature", nvml.NVML_TEMPERATURE_GPU),
    }


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _frequency() -> float | None:
    import psutil

    found = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return None if found is None else round(found.current)


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().splitlines()[0]
    except (OSError, IndexError):
        return None


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _onnxruntime_build() -> str | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    return str(onnxruntime.get_build_info())
