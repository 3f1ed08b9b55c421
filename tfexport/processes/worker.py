"""A child process that makes a function once and calls it on request, within limits of memory and time.

The child is a new interpreter, not one of ``multiprocessing``: that would run the user's script again, which may export at its
top level.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any

from tfexport import errors
from tfexport.errors import ProcessError, ProcessNotStartedError, TfExportError
from tfexport.processes.environment import child_environment
from tfexport.processes.isolation import death, error_text
from tfexport.processes.lifetime import end_with_parent
from tfexport.processes.memory import limit_memory
from tfexport.processes.temporary import temporary_variables

_PROGRAM = "import sys; sys.path[:] = sys.argv[3:]; from tfexport.processes.worker import serve; serve(*map(int, sys.argv[1:3]))"
_NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
"""The parent may have taken all the memory of a GPU."""
_SECONDS_TO_END = 10.0


@dataclass(frozen=True)
class Limits:
    """Limits of a worker.

    Attributes:
        memory_mib: Memory that the calls may take beside the function itself, in MiB.
        seconds: Time that one call may take.
        start_seconds: Time that making the function may take.
    """

    memory_mib: int = 4096
    seconds: float = 120.0
    start_seconds: float = 900.0


class Worker:
    """A function in a child process. The child starts at once, and is waited for at the first call.

    Args:
        make: Function of a module, with picklable arguments, that returns the function to call.
        limits: Limits of memory and time.

    Attributes:
        alive: Whether the child can be called.
    """

    def __init__(self, make: Callable[[], Callable[..., Any]], limits: Limits) -> None:
        self._limits = limits
        self._made = False
        self._temporary = ExitStack()
        self._connection, theirs = Pipe()
        with closing(theirs):
            self._process = self._started(theirs)
        self.alive = True
        try:
            self._send((make, limits.memory_mib))
        except BaseException:
            self.close()
            raise

    def _started(self, theirs: Connection) -> subprocess.Popen[bytes]:
        try:
            temporary = self._temporary.enter_context(temporary_variables())
            with child_environment(more={**_NO_GPU, **temporary}):
                return subprocess.Popen(
                    [sys.executable or "", "-c", _PROGRAM, str(theirs.fileno()), str(os.getpid()), *sys.path],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
        except OSError as error:
            self._connection.close()
            self._temporary.close()
            raise ProcessNotStartedError(
                f"a child process cannot be started: {error}. Let this user run {sys.executable or 'a Python interpreter'}, or "
                "raise the limit on processes (ulimit -u)."
            ) from error

    def wait(self) -> None:
        """Wait until the function is made.

        Raises:
            ProcessError: It cannot be made, or not within the limits.
        """
        if not self._made:
            self._answer(self._limits.start_seconds)
            self._made = True

    def __call__(self, *arguments: Any) -> Any:
        """Call the function.

        Raises:
            ProcessError: The child dies, takes too long, or fails by an error that is not one of tfexport's.
            TfExportError: The function raises it.
        """
        if not self.alive:
            raise ProcessError("its process has ended")
        self.wait()
        self._send(arguments)
        return self._answer(self._limits.seconds)

    def close(self) -> None:
        """End the child, which holds nothing that could be lost."""
        self.alive = False
        self._process.kill()
        self._process.wait()
        self._connection.close()
        self._temporary.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exitcode(self) -> int:
        """Return the exit code of the child, which has closed its end of the connection; kill it if it does not end."""
        try:
            return self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _send(self, message: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the child is dead: its answer will not come
            self._connection.send(message)

    def _answer(self, seconds: float) -> Any:
        try:
            if not self._connection.poll(seconds):
                self.close()
                raise ProcessError(f"its process did not answer within {seconds:g} s")
            error, answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            exitcode = self._exitcode()
            self.close()
            raise ProcessError(death(exitcode)) from None
        if error is not None:
            raise _rebuilt(error, answer)
        return answer


def _rebuilt(name: str, message: str) -> TfExportError:
    """Return an error of tfexport's by its class and message; a `ProcessError` where the class takes more than a message."""
    kind = getattr(errors, name, ProcessError)
    if not issubclass(kind, TfExportError) or "__init__" in vars(kind):
        kind = ProcessError
    found: TfExportError = kind(message)
    return found


def serve(descriptor: int, parent: int) -> None:
    """Run the child: make the function, then answer calls until the parent closes the connection, or ends."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's: it closes the connection
    connection = Connection(descriptor)
    make, memory_mib = connection.recv()
    error, made = _tried(make)
    connection.send((error, made if error else None))
    if error:
        os._exit(1)
    limit_memory(memory_mib)
    with suppress(EOFError):
        while True:
            connection.send(_tried(made, *connection.recv()))
    os._exit(0)  # frameworks have threads that an orderly exit waits for


def _tried(function: Callable[..., Any], *arguments: Any) -> tuple[str | None, Any]:
    """Return the name of the error and its text, or None and the result."""
    try:
        return None, function(*arguments)
    except Exception as error:  # the process boundary
        return type(error).__name__, error_text(error)
