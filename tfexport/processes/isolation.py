"""Work in a child process: its memory is freed when it ends, and its death is an error, never a success."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from tfexport.errors import InputsError, ProcessError, TfExportError
from tfexport.keywords import number_of, shown
from tfexport.processes.environment import child_environment
from tfexport.processes.lifetime import end_with_parent
from tfexport.processes.memory import limit_memory, machine_mib
from tfexport.processes.streams import quiet
from tfexport.processes.temporary import temporary_variables

Caller = Callable[..., Any]
"""`call_isolated` or `call_in_process`."""
PROCESSES = multiprocessing.get_context("spawn")
LONGEST_S = 7200.0
"""Time that a call may take unless its caller knows better: it ends what never would, and nothing that only takes long."""
_ENDING_S = 30.0
_MOST_S = 1e6
"""Eleven days. The system cannot wait for more than 24 days."""
_LONGEST = 2000


def call_isolated(
    function: Callable[..., Any], *arguments: Any, timeout_s: float = LONGEST_S, memory_mib: float | None = None
) -> Any:
    """Call a function in a child process. The lock of the process is held while the child starts, and not after that.

    The child ends when this process does.

    Args:
        function: Function of a module, since it is pickled, as are its arguments and its result.
        arguments: Arguments of the function.
        timeout_s: Seconds after which the child is killed.
        memory_mib: Memory that the function may allocate, in MiB; None for as much as the machine has.

    Raises:
        ProcessError: The function fails, takes too long or too much memory, or the child dies.
    """
    with temporary_variables() as temporary:
        failed, answer = _called(temporary, timeout_s, memory_mib, function, *arguments)
    if failed:
        raise ProcessError(answer)
    return answer


def call_in_process(
    function: Callable[..., Any], *arguments: Any, timeout_s: float = LONGEST_S, memory_mib: float | None = None
) -> Any:
    """Call a function in this process: faster than `call_isolated`, without protection from a crash, and without limits.

    Args:
        function: Function to call.
        arguments: Arguments of the function.
        timeout_s: Not used: a process cannot stop itself within native code.
        memory_mib: Not used.

    Raises:
        ProcessError: The function fails.
    """
    try:
        return function(*arguments)
    except TfExportError as error:
        raise ProcessError(str(error)) from error


def too_late(seconds: float) -> str:
    """Describe a process that was killed because it took too long."""
    return f"its process did not answer within {seconds:.3g} s, and was ended. Allow more by --time-limit (time_limit_s=...)"


def check_seconds(value: object) -> float:
    """Return a limit of time.

    Raises:
        InputsError: It is not a finite number above zero.
    """
    seconds = number_of(value)
    if seconds is None or not 0 < seconds < float("inf"):
        raise InputsError(
            f"the time limit is {shown(value)}; expected seconds, a finite number above zero (--time-limit, time_limit_s=...)."
        )
    return min(seconds, _MOST_S)


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


def _called(
    temporary: Mapping[str, str],
    timeout_s: float,
    memory_mib: float | None,
    function: Callable[..., Any],
    *arguments: Any,
) -> tuple[bool, Any]:
    """Return whether a function failed in a child process, and its result or the text of its error."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_call, args=(theirs, os.getpid(), memory_mib, function, arguments))
    with child_environment(more=temporary):
        process.start()
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            raise ProcessError(too_late(timeout_s))
        answer: tuple[bool, Any] = ours.recv()
        process.join(_ENDING_S)
    except EOFError:
        process.join(_ENDING_S)
        raise ProcessError(death(process.exitcode)) from None
    finally:
        ours.close()
        process.kill()  # also where this process is interrupted
        process.join()
    return answer


def _call(
    connection: Connection,
    parent: int,
    memory_mib: float | None,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    end_with_parent(parent)
    limit_memory(machine_mib() if memory_mib is None else memory_mib)
    try:
        with quiet(verbose=False):
            answer: tuple[bool, Any] = (False, function(*arguments))
    except MemoryError as error:
        answer = (True, f"it needs more memory than it may take: {error_text(error)}")
    except Exception as error:  # the process boundary
        answer = (True, error_text(error))
    connection.send(answer)
