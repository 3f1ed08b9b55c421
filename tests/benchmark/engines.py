"""Engines that misbehave, for the tests: a child process finds them as ``tests.benchmark.engines:Class``."""

from __future__ import annotations

import os
import signal
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.engines.onnx_runtime import OnnxRuntime
from tfexport.benchmark.run_spec import RunSpec
from tfexport.processes.locks import PROCESS_LOCK

MODULE = "tests.benchmark.engines"


class Twin(OnnxRuntime):
    """ONNX Runtime under another name."""

    name = "twin"


class Wrong(OnnxRuntime):
    """An engine with a small error in one element."""

    name = "wrong"

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        found = super().fetch(outputs)
        for value in found.values():
            value.flat[-1] += 0.01
        return found


class WrongLater(OnnxRuntime):
    """An engine that is right at first, and wrong from the tenth call on."""

    name = "wrong-later"
    calls = 0

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        self.calls += 1
        return {name: value + 0.01 * (self.calls > 9) for name, value in super().fetch(outputs).items()}


class Renames(OnnxRuntime):
    """An engine that returns its outputs under other names."""

    name = "renames"

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {f"{name}:0": value for name, value in super().fetch(outputs).items()}


class Killed(OnnxRuntime):
    """An engine that is killed in its fifth call, as on a machine without memory."""

    name = "killed"
    calls = 0

    def run(self, fed: Any) -> Any:
        self.calls += 1
        if self.calls == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(fed)


class Raises(OnnxRuntime):
    """An engine that cannot be loaded."""

    name = "raises"

    def load(self, spec: RunSpec) -> None:
        raise RuntimeError("a library is missing")


class Absent(OnnxRuntime):
    """An engine of a package that does not exist."""

    name = "absent"
    packages: ClassVar[tuple[str, ...]] = ("no-such-package",)
    extra = "tfexport[absent]"


class CpuOnly(OnnxRuntime):
    """An engine that supports only the host boundary."""

    name = "host-only"
    boundaries = ("host",)


class Locks(OnnxRuntime):
    """An engine whose calls take the lock of the process, as those of a framework may."""

    name = "locks"

    def run(self, fed: Any) -> Any:
        if not PROCESS_LOCK.acquire(timeout=20):
            raise RuntimeError("another thread holds the lock")
        try:
            return super().run(fed)
        finally:
            PROCESS_LOCK.release()
