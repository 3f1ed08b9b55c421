"""The process of a cell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tfexport.benchmark.run_spec import RunSpec
from tfexport.benchmark.worker import Loaded, Round, serve
from tfexport.errors import CellError
from tfexport.processes.environment import child_environment
from tfexport.processes.isolation import PROCESSES, death

TIMEOUT_S = 1800.0
_ENDING_S = 30.0


class CellProcess:
    """The process of a cell. Creating it loads the engine and makes the first call; `close` ends it.

    Args:
        spec: Run of the cell.
        inputs: File of the inputs.

    Raises:
        CellError: The engine cannot be loaded, or its process died.
    """

    def __init__(self, spec: RunSpec, inputs: Path) -> None:
        self.spec = spec
        self._connection, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=serve, args=(theirs, spec, inputs), daemon=True)
        with child_environment(spec.cell.setting.threads):
            self._process.start()
        theirs.close()
        try:
            self.loaded: Loaded = self._answer()
        except CellError:
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

    def _ask(self, *request: Any) -> Any:
        """Send a request, and wait for its answer.

        Raises:
            CellError: The request fails or takes longer than `TIMEOUT_S`, or the process dies.
        """
        try:
            self._connection.send(request)
        except OSError:
            raise CellError(self._death()) from None
        return self._answer()

    def _answer(self) -> Any:
        if not self._connection.poll(TIMEOUT_S):
            self._process.kill()
            raise CellError(f"its process did not answer within {TIMEOUT_S:g} s")
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
