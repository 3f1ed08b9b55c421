"""Work in a process of its own: its memory is given back, frameworks with it, and its death cannot be taken for success."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tfexport.errors import ProcessError, TfExportError
from tfexport.processes.environment import surroundings

Caller = Callable[..., Any]
"""`call_isolated`, or `call_in_process`."""
PROCESSES = multiprocessing.get_context("spawn")
_LONGEST = 2000


def call_isolated(function: Callable[..., Any], *arguments: Any, timeout_s: float | None = None) -> Any:
    """Call a function in a process of its own, whose memory is given back, and frameworks with it.

    Args:
        function: of a module, so that it can be sent; like its arguments and what it returns.
        arguments: of the function.
        timeout_s: after which the process is killed; None for never.

    Raises:
        ProcessError: it fails, takes too long, or its process died.
    """
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_call, args=(theirs, function, arguments))
    with surroundings():
        process.start()
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            process.kill()
            process.join()
            raise ProcessError(f"no answer in {timeout_s:g} s")
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
    """The same in this process: faster, and no shelter from a crash.

    Raises:
        ProcessError: it fails.
    """
    try:
        return function(*arguments)
    except TfExportError as error:
        raise ProcessError(str(error)) from error


def death(exitcode: int | None) -> str:
    """How a process died, by its exit code: negative for a signal."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its process died, exit code {exitcode}"


def told(error: Exception) -> str:
    """What is sent of an error: the message of one that was raised on purpose, the class too of any other."""
    text = " ".join(str(error).split())[:_LONGEST] or "no message"
    return text if isinstance(error, TfExportError) else f"{type(error).__name__}: {text}"


def _call(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from tfexport.processes.streams import quiet

    try:
        with quiet(verbose=False):
            answer: tuple[bool, Any] = (False, function(*arguments))
    except Exception as error:  # the process boundary
        answer = (True, told(error))
    connection.send(answer)
