"""An engine in a process of its own, which answers one request after the other."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generation.models import Prepared
from tfexport.benchmark.memory import peak_mib
from tfexport.benchmark.processes import surroundings
from tfexport.benchmark.stopwatch import Span, Stopwatch

TIMEOUT_S = 1800.0
_processes = multiprocessing.get_context("spawn")


class WorkerError(Exception):
    """An engine failed, or its process died. The text says how."""


@dataclass(frozen=True)
class Answer:
    """A text, and what it took.

    Attributes:
        tokens: new tokens, int64 ``(batch, tokens)``.
        span: wall time, and what others took of the machine.
    """

    tokens: np.ndarray
    span: Span


class Worker:
    """An engine in a process of its own. Making one loads the model; `close` ends the process.

    Args:
        engine: its name.
        model: the model's.
        folder: where what it loads lies.
        threads: that it may use.

    Raises:
        WorkerError: it cannot be loaded.
    """

    def __init__(self, engine: str, model: str, folder: Path, threads: int) -> None:
        self.engine = engine
        self._connection, theirs = _processes.Pipe()
        self._process = _processes.Process(target=_serve, args=(theirs, engine, model, folder, threads), daemon=True)
        with surroundings(threads):
            self._process.start()
        theirs.close()
        try:
            self.about: dict[str, Any] = self._answer()
        except WorkerError:
            self._end()
            raise

    def generate(self, prompt: Mapping[str, np.ndarray], tokens: int) -> Answer:
        """Let it write.

        Raises:
            WorkerError: it fails, takes longer than `TIMEOUT_S`, or dies.
        """
        self._connection.send(("generate", prompt, tokens))
        return Answer(*self._answer())

    def logits(self, prompt: Mapping[str, np.ndarray], written: np.ndarray) -> np.ndarray:
        """What the model says of a text, without a cache, for an engine that can.

        Raises:
            WorkerError: as in `generate`.
        """
        self._connection.send(("logits", prompt, written))
        return np.asarray(self._answer())

    def close(self) -> dict[str, Any]:
        """End the process.

        Returns:
            Its peak of memory, unless it had died.
        """
        try:
            self._connection.send(None)
            return dict(self._answer())
        except (WorkerError, OSError):
            return {}
        finally:
            self._end()

    def _answer(self) -> Any:
        if not self._connection.poll(TIMEOUT_S):
            self._process.kill()
            raise WorkerError(f"no answer in {TIMEOUT_S:g} s")
        try:
            failed, answer = self._connection.recv()
        except EOFError:
            self._process.join()
            raise WorkerError(f"its process died, exit code {self._process.exitcode}") from None
        if failed:
            raise WorkerError(answer)
        return answer

    def _end(self) -> None:
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


def _serve(connection: Connection, engine: str, model: str, folder: Path, threads: int) -> None:
    from benchmarks.generation.engines import ENGINES, TensorFlowEager
    from tfexport.quiet import quiet

    with quiet(verbose=False):
        try:
            watch = Stopwatch()
            loaded = ENGINES[engine](model, Prepared(folder), threads)
            connection.send((False, {"load_seconds": round(watch.stop().seconds, 2), **loaded.about()}))
            while (request := connection.recv()) is not None:
                kind, prompt, argument = request
                if kind == "logits":
                    assert isinstance(loaded, TensorFlowEager)
                    connection.send((False, loaded.logits(prompt, argument)))
                    continue
                watch = Stopwatch()
                tokens = loaded.generate(prompt, argument)
                connection.send((False, (tokens, watch.stop())))
            connection.send((False, {"peak_rss_mib": round(peak_mib(), 1)}))
        except Exception as error:  # noqa: BLE001  the process boundary
            connection.send((True, _told(error)))


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:2000]
