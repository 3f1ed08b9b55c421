"""What a measurement ran on: the machine, what may be used of it, what else ran, and which software."""

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
"""Environment variables that change speeds."""
_CGROUP = Path("/sys/fs/cgroup")
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")


def machine() -> dict[str, Any]:
    """What a results file says of it: nothing in it names the machine or its user."""
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
    """Of the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def usable_cpus() -> int:
    """Processors that this process may keep busy: those of its affinity, and no more than its cgroup lets it have.

    ONNX Runtime, TensorFlow and PyTorch count the machine's (onnxruntime issue 29510), so they are told.
    """
    quota = cgroup_cpus()
    return max(1, min(len(_affinity()), int(quota) if quota is not None else len(_affinity())))


def cgroup_cpus() -> float | None:
    """Processors that the cgroup's quota amounts to; None without a quota."""
    line = _first_line(_CGROUP / "cpu.max")
    if line is not None:
        quota, _, period = line.partition(" ")
        return None if quota == "max" else int(quota) / int(period)
    quota_us, period_us = (_first_line(_CGROUP / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota_us is None or period_us is None or int(quota_us) < 0:
        return None
    return int(quota_us) / int(period_us)


def cpu_model() -> str:
    """The processor's name, and the vector instructions that it has."""
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
    """Each GPU that NVML tells of, as it is now; none without NVML."""
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

    def told(name: str, *arguments: Any) -> Any:
        """What NVML says; None where this GPU, or this user, is not told."""
        try:
            return getattr(nvml, f"nvmlDeviceGet{name}")(device, *arguments)
        except nvml.NVMLError:
            return None

    memory = told("MemoryInfo")
    power = told("PowerUsage")
    return {
        "name": told("Name"),
        "driver": nvml.nvmlSystemGetDriverVersion(),
        "memory_gib": None if memory is None else round(memory.total / 2**30, 1),
        "sm_clock_mhz": told("ClockInfo", nvml.NVML_CLOCK_SM),
        "memory_clock_mhz": told("ClockInfo", nvml.NVML_CLOCK_MEM),
        "throttle_reasons": told("CurrentClocksThrottleReasons"),
        "power_w": None if power is None else power / 1000,
        "temperature_c": told("Temperature", nvml.NVML_TEMPERATURE_GPU),
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
