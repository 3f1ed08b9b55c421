"""One cell, in a process of its own: what runs there.

The process imports nothing of a framework before the engine does, so that the engine's import can be timed. It answers one
request after the other; what it times lies between two readings of one clock, in this process.
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
from tfexport.benchmark.sampling import warm_up
from tfexport.benchmark.stopwatch import Span, Stopwatch
from tfexport.benchmark.work import Arrays, Work
from tfexport.processes.isolation import error_text

_NS = 1000
MOST_CALLS = 64
"""Of a round: more of very short calls say no more."""


@dataclass(frozen=True)
class Loaded:
    """What loading took.

    Attributes:
        import_s: importing the framework.
        load_s: loading the model: creating a session, building and reading weights.
        first_call_ms: the first call, from NumPy to NumPy; what is compiled for a shape is compiled there.
        base_rss_mib: resident memory before the import.
        peak_rss_mib: peak of resident memory up to the end of the first call.
        gpu_mib: GPU memory after it; None where it cannot be told.
        about: what the engine says of itself.
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
    """What one round measured.

    Attributes:
        values_us: time of each call, in microseconds.
        span: wall time of the round, and what others took of the machine.
    """

    values_us: tuple[float, ...]
    span: Span


class Bench:
    """The engine, its inputs, and a clock.

    Args:
        work: what is run.
        inputs: the NumPy arrays of every call.
    """

    def __init__(self, work: Work, inputs: Arrays) -> None:
        setting = work.cell.setting
        self._engine: Engine = engine(work.cell.engine, writes=setting.tokens > 0)()
        base = resident_mib()
        seconds = [time.perf_counter()]
        for module in self._engine.modules:
            import_module(module)
        seconds.append(time.perf_counter())
        self._engine.load(work)
        seconds.append(time.perf_counter())
        self.work, self._inputs, self._resident = work, inputs, work.resident
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
        """The outputs of one more call, on what the timed calls are fed."""
        fed = self._fed[0] if self._resident else self._engine.feed(self._inputs)
        outputs = self._engine.run(fed)
        self._engine.synchronise(outputs)
        return self._engine.fetch(outputs)

    def warm_up(self, seconds: float) -> tuple[tuple[float, ...], bool]:
        """Call until calls take what they took before: their times in microseconds, and whether they do."""
        found = warm_up(lambda: self._time(0), seconds, per_second=1e6)
        return found.values, found.steady

    def round(self, seconds: float) -> Round:
        """Call for a while, once at least."""
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
        """One call, in microseconds."""
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


def serve(connection: Connection, work: Work, inputs: Path) -> None:
    """Load, and answer requests until there is none more. What goes wrong is sent as a text.

    A request is a name of `_ANSWERS` and its arguments; an answer is whether it failed, and a value or a text.
    """
    from tfexport.processes.streams import quiet

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process: it is the parent's to end this one
    with quiet(verbose=False):
        try:
            bench = Bench(work, dict(np.load(inputs)))
            connection.send((False, bench.loaded))
            while (request := connection.recv()) is not None:
                name, *arguments = request
                connection.send((False, _ANSWERS[name](bench, *arguments)))
        except Exception as error:  # the process boundary
            connection.send((True, error_text(error)))


def _compare(bench: Bench, path: Path, atol: float, rtol: float) -> dict[str, Any]:
    """Compare the outputs of one more call, made as the timed ones are."""
    from tfexport.benchmark.parity_gate import compare, tolerance_of

    precision = bench.work.cell.setting.precision
    return compare(dict(np.load(path)), bench.outputs(), tolerance_of(precision, atol, rtol))


_ANSWERS: dict[str, Callable[..., Any]] = {
    "compare": _compare,
    "warm_up": Bench.warm_up,
    "round": Bench.round,
}
