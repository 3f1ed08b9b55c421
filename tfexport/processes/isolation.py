"""Work in a child process: its memory is freed when it ends, and its death is an error, never a success."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tfexport.errors import ProcessError, TfExportError
from tfexport.processes.environment import child_environment
from tfexport.processes.streams import quiet

Caller = Callable[..., Any]
"""`call_isolated` or `call_in_process`."""
PROCESSES = multiprocessing.get_context("spawn")
_LONGEST = 2000


def call_isolated(function: Callable[..., Any], *arguments: Any, timeout_s: float | None = None) -> Any:
    """Call a function in a child process. The lock of the process is held while the child starts, and not after that.

    Args:
        function: a function of a module, since it is pickled, as are its arguments and its result.
        arguments: arguments of the function.
        timeout_s: seconds after which the child is killed; None for no limit.

    Raises:
        ProcessError: the function fails, takes too long, or the child dies.
    """
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_call, args=(theirs, function, arguments))
    with child_environment():
        process.start()
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            process.kill()
            process.join()
            raise ProcessError(f"its process did not answer within {timeout_s:g} s")
        failed, answer = ours.recv()
    except EOFError:
        process.join()
        raise ProcessError(death(process.exitcode)) from None
    finally:
        ours.close()
    process.join()
    if failed:
        raise ProcessError(answer)
    return answer


def call_in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in this process: faster than `call_isolated`, without protection from a crash.

    Raises:
        ProcessError: the function fails.
    """
    try:
        return function(*arguments)
    except TfExportError as error:
        raise ProcessError(str(error)) from error


def death(exitcode: int | None) -> str:
    """Describe how a process died, by its exit code, which is negative for a signal."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its process died, exit code {exitcode}"


def error_text(error: Exception) -> str:
    """Return the text of an error for another process: the message, preceded by the class unless we raised it on purpose."""
    text = " ".join(str(error).split())[:_LONGEST] or "no message"
    return text if isinstance(error, TfExportError) else f"{type(error).__name__}: {text}"


def _call(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        with quiet(verbose=False):
            answer: tuple[bool, Any] = (False, function(*arguments))
    except Exception as error:  # the process boundary
        answer = (True, error_text(error))
    connection.send(answer)
