"""Processes of their own: for each cell, and for what loads a framework on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfexport.benchmark.work import Work
from tfexport.benchmark.worker import Loaded, Round, serve, told
from tfexport.errors import CellError

TIMEOUT_S = 1800.0
_ENDING_S = 30.0
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_processes = multiprocessing.get_context("spawn")


class CellProcess:
    """A cell's process. Making one loads the engine and makes the first call; `close` ends it.

    Args:
        work: what is run.
        inputs: the file of its inputs.

    Raises:
        CellError: it cannot be loaded, or its process died.
    """

    def __init__(self, work: Work, inputs: Path) -> None:
        self.work = work
        self._connection, theirs = _processes.Pipe()
        self._process = _processes.Process(target=serve, args=(theirs, work, inputs), daemon=True)
        with surroundings(work.cell.setting.threads):
            self._process.start()
        theirs.close()
        try:
            self.loaded: Loaded = self._answer()
        except CellError:
            self.close()
            raise

    def compare(self, reference: Path, atol: float, rtol: float) -> dict[str, Any]:
        """Compare the outputs of one more call with a file of the reference's. See `tfexport.benchmark.parity.compare`."""
        return dict(self._ask("compare", reference, atol, rtol))

    def warm_up(self, seconds: float) -> tuple[tuple[float, ...], bool]:
        """See `tfexport.benchmark.worker.Bench.warm_up`."""
        values, steady = self._ask("warm_up", seconds)
        return values, steady

    def round(self, seconds: float) -> Round:
        """See `tfexport.benchmark.worker.Bench.round`."""
        found: Round = self._ask("round", seconds)
        return found

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):  # it has ended already
            self._connection.send(None)
        self._process.join(_ENDING_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _ask(self, *request: Any) -> Any:
        """Send a request, and wait for its answer.

        Raises:
            CellError: it fails, takes longer than `TIMEOUT_S`, or dies.
        """
        try:
            self._connection.send(request)
        except OSError:
            raise CellError(self._death()) from None
        return self._answer()

    def _answer(self) -> Any:
        if not self._connection.poll(TIMEOUT_S):
            self._process.kill()
            raise CellError(f"no answer in {TIMEOUT_S:g} s")
        try:
            failed, answer = self._connection.recv()
        except (EOFError, OSError):
            raise CellError(self._death()) from None
        if failed:
            raise CellError(answer)
        return answer

    def _death(self) -> str:
        self._process.join(_ENDING_S)
        return death(self._process.exitcode)


def death(exitcode: int | None) -> str:
    """How a process died, by its exit code: negative for a signal."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its process died, exit code {exitcode}"


def call_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own, whose memory is given back, and frameworks with it.

    Args:
        function: of a module, so that it can be sent; like its arguments and what it returns.
        arguments: of the function.

    Raises:
        CellError: it fails, or its process died.
    """
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_call, args=(theirs, function, arguments))
    with surroundings():
        process.start()
    theirs.close()
    try:
        failed, answer = ours.recv()
    except EOFError:
        process.join()
        raise CellError(death(process.exitcode)) from None
    finally:
        ours.close()
    process.join()
    if failed:
        raise CellError(answer)
    return answer


def _call(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from tfexport.quiet import quiet

    try:
        with quiet(verbose=False):
            answer: tuple[bool, Any] = (False, function(*arguments))
    except Exception as error:  # the process boundary
        answer = (True, told(error))
    connection.send(answer)


@contextmanager
def surroundings(threads: int | None = None) -> Iterator[None]:
    """Environment variables, set for what is started within a block: no noise, no network, and numbers of threads.

    Args:
        threads: that what is started may use; None leaves it to each library.
    """
    variables = _QUIET if threads is None else {**_QUIET, **dict.fromkeys(_THREADS, str(threads))}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
