"""The program in the process of a cell.

The process imports nothing of a framework before the engine does, so that the engine's import can be timed. It answers one
request after the other. Each time is the difference between two readings of one clock in this process.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.benchmark.engines import Engine, engine
from tfexport.benchmark.memory import gpu_mib, peak_mib, resident_mib
from tfexport.benchmark.run_spec import Arrays, RunSpec
from tfexport.benchmark.sampling import warm_up
from tfexport.benchmark.stopwatch import Span, Stopwatch
from tfexport.processes.isolation import error_text
from tfexport.processes.lifetime import end_with_parent
from tfexport.processes.memory import limit_memory, machine_mib
from tfexport.processes.streams import quiet

CPU = "cpu"
_NS = 1000
MOST_CALLS = 64
"""Largest number of calls per round: more very short calls do not make the median more precise."""


@dataclass(frozen=True)
class Loaded:
    """Cost of loading an engine.

    Attributes:
        import_s: Time to import the framework.
        load_s: Time to load the model: to create a session, or to build a model and read its weights.
        first_call_ms: Time of the first call, from NumPy to NumPy, in which an engine compiles for the shape.
        base_rss_mib: Resident memory before the import.
        peak_rss_mib: Peak of resident memory until the end of the first call.
        gpu_mib: GPU memory after the first call; None when it is not known.
        about: Facts from the engine, by `Engine.describe`.
    """

    import_s: float
    load_s: float
    first_call_ms: float
    base_rss_mib: float
    peak_rss_mib: float
    gpu_mib: float | None
    about: dict[str, Any]


@dataclass(frozen=True)
class Round:
    """Result of one round.

    Attributes:
        values_us: Time of each call, in microseconds.
        span: Wall time of the round, and the processor time of other processes.
    """

    values_us: tuple[float, ...]
    span: Span


class Bench:
    """The engine, its inputs, and a clock.

    Args:
        spec: Run of the cell.
        inputs: NumPy arrays of every call, by name.
    """

    def __init__(self, spec: RunSpec, inputs: Arrays) -> None:
        setting = spec.cell.setting
        self._engine: Engine = engine(spec.cell.engine, writes=setting.tokens > 0)()
        base = resident_mib()
        seconds = [time.perf_counter()]
        for module in self._engine.modules:
            import_module(module)
        seconds.append(time.perf_counter())
        self._engine.load(spec)
        seconds.append(time.perf_counter())
        self.spec, self._inputs, self._resident = spec, inputs, spec.resident
        self._engine.fetch(self._engine.run(self._engine.feed(inputs)))
        seconds.append(time.perf_counter())
        importing, loading, first = np.diff(seconds)
        self._fed = [self._engine.feed(inputs) for _ in range(setting.streams)] if self._resident else []
        self._threads = ThreadPoolExecutor(setting.streams) if setting.streams > 1 else None
        self._streams = setting.streams
        self.loaded = Loaded(
            import_s=float(importing),
            load_s=float(loading),
            first_call_ms=float(first * 1000),
            base_rss_mib=base,
            peak_rss_mib=peak_mib(),
            gpu_mib=gpu_mib(),
            about=dict(self._engine.describe()),
        )

    def outputs(self) -> dict[str, np.ndarray]:
        """Return the outputs of one more call, on the inputs of the timed calls."""
        fed = self._fed[0] if self._resident else self._engine.feed(self._inputs)
        outputs = self._engine.run(fed)
        self._engine.synchronise(outputs)
        return self._engine.fetch(outputs)

    def warm_up(self, seconds: float) -> tuple[tuple[float, ...], bool]:
        """Make calls until their times are steady. Returns their times in microseconds, and whether they became steady."""
        found = warm_up(lambda: self._time(0), seconds, per_second=1e6)
        return found.values, found.steady

    def round(self, seconds: float) -> Round:
        """Make calls for so many seconds, and at least one per stream."""
        watch = Stopwatch()
        if self._threads is None:
            values = self._calls(seconds, 0)
        else:
            asked = [self._threads.submit(self._calls, seconds, stream) for stream in range(self._streams)]
            values = [value for each in asked for value in each.result()]
        return Round(tuple(values), watch.stop())

    def _calls(self, seconds: float, stream: int) -> list[float]:
        values: list[float] = []
        end = time.perf_counter() + seconds
        while not values or (time.perf_counter() < end and len(values) < MOST_CALLS):
            values.append(self._time(stream))
        return values

    def _time(self, stream: int) -> float:
        """Return the time of one call, in microseconds."""
        running = self._engine
        if self._resident:
            fed = self._fed[stream]
            start = time.perf_counter_ns()
            outputs = running.run(fed)
            running.synchronise(outputs)
            return (time.perf_counter_ns() - start) / _NS
        start = time.perf_counter_ns()
        outputs = running.run(running.feed(self._inputs))
        running.synchronise(outputs)
        running.fetch(outputs)
        return (time.perf_counter_ns() - start) / _NS


def serve(connection: Connection, parent: int, spec: RunSpec, inputs: Path) -> None:
    """Load the engine, and answer requests until None is received, or the parent ends.

    A request is a name of `_ANSWERS` and its arguments. An answer is whether the request failed, and its value or the text of
    the error.
    """
    end_with_parent(parent)
    if spec.cell.provider == CPU:  # drivers of other devices reserve memory that they never use
        limit_memory(machine_mib())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process, but only the parent ends this one
    # Not exclusive: this process is the worker's own, and the threads of its streams may call functions that take the lock.
    with quiet(verbose=False, exclusive=False):
        try:
            bench = Bench(spec, dict(np.load(inputs)))
            connection.send((False, bench.loaded))
            while (request := connection.recv()) is not None:
                name, *arguments = request
                connection.send((False, _ANSWERS[name](bench, *arguments)))
        except Exception as error:  # the process boundary
            connection.send((True, error_text(error)))


def _compare(bench: Bench, path: Path, atol: float, rtol: float) -> dict[str, Any]:
    """Compare the outputs of one more call, made like the timed calls, with a file of the reference."""
    # Imported here, because it imports onnx, which must not be imported before the engine.
    from tfexport.benchmark.parity_gate import compare, tolerance_of

    precision = bench.spec.cell.setting.precision
    return compare(dict(np.load(path)), bench.outputs(), tolerance_of(precision, atol, rtol))


_ANSWERS: dict[str, Callable[..., Any]] = {
    "compare": _compare,
    "warm_up": Bench.warm_up,
    "round": Bench.round,
}
