"""The process of a cell."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from glob import escape
from pathlib import Path
from typing import Any

from tfexport.benchmark.engines import Engine
from tfexport.benchmark.run_spec import Model, RunSpec
from tfexport.benchmark.worker import Loaded, Round, serve
from tfexport.errors import CellError
from tfexport.files.places import held_bytes
from tfexport.processes.environment import child_environment
from tfexport.processes.isolation import PROCESSES, death, too_late
from tfexport.processes.temporary import temporary_variables

FRAMEWORK_S = 1800.0
"""Time that a framework may take for one answer: it loads, traces and compiles a checkpoint that the user trusts."""
_LEAST_S = 60.0
_BYTES_PER_S = 10e6
_ENDING_S = 30.0


def patience_s(found: type[Engine], model: Model, time_limit_s: float) -> float:
    """Return how long an engine may take for one answer before its process is killed.

    A file of others may compute for ever. Its engine has the time limit of the measurement, and a second for each 10 MB.

    Args:
        found: Engine.
        model: Model that it runs.
        time_limit_s: Time limit of the measurement.
    """
    if found.needs_checkpoint:
        return max(FRAMEWORK_S, time_limit_s)
    size = sum(held_bytes(file) for path in model.files.values() for file in path.parent.glob(f"{escape(path.name)}*"))
    return max(_LEAST_S, time_limit_s) + size / _BYTES_PER_S


class CellProcess:
    """The process of a cell. Creating it loads the engine and makes the first call; `close` ends it.

    Args:
        spec: Run of the cell.
        inputs: File of the inputs.
        seconds: Time that one answer may take.

    Raises:
        CellError: The engine cannot be loaded, or its process died.
    """

    def __init__(self, spec: RunSpec, inputs: Path, seconds: float) -> None:
        self.spec, self._seconds = spec, seconds
        self._connection, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=serve, args=(theirs, os.getpid(), spec, inputs), daemon=True)
        self._temporary = ExitStack()
        temporary = self._temporary.enter_context(temporary_variables())
        with child_environment(spec.cell.setting.threads, temporary):
            self._process.start()
        theirs.close()
        try:
            self.loaded: Loaded = self._answer()
        except BaseException:
            self.close()
            raise

    def compare(self, reference: Path, atol: float, rtol: float) -> dict[str, Any]:
        """Compare the outputs of one more call with a file of the reference. See `tfexport.benchmark.parity_gate.compare`."""
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
        self._temporary.close()

    def _ask(self, *request: Any) -> Any:
        """Send a request, and wait for its answer.

        Raises:
            CellError: The request fails or takes too long, or the process dies.
        """
        try:
            self._connection.send(request)
        except OSError:
            raise CellError(self._death()) from None
        return self._answer()

    def _answer(self) -> Any:
        if not self._connection.poll(self._seconds):
            self._process.kill()
            raise CellError(too_late(self._seconds))
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
