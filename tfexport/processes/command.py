"""A process that is a command of tfexport's: its signals, its temporary folder, and its errors as one line."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tfexport.errors import LONGEST_MESSAGE, TfExportError
from tfexport.processes.streams import open_standard_streams
from tfexport.processes.temporary import temporary_folder
from tfexport.text import printable, shortened

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_MACHINE = {
    errno.ENOSPC: "Free space there, or set TMPDIR to a folder on another disk.",
    errno.EDQUOT: "Free space there, or set TMPDIR to a folder on another disk.",
    errno.EROFS: "Set TMPDIR and HF_HOME to folders that can be written to.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f).",
    errno.EMFILE: "Raise the limit on open files (ulimit -n).",
    errno.ENFILE: "Close other programs: the system opens no more files.",
    errno.ENOMEM: "Close other programs, or use a machine with more memory.",
    errno.EAGAIN: "Raise the limit on processes (ulimit -u), or close other programs.",
    errno.EIO: "Check the disk.",
}
"""What to do about an error that is the machine's and not the program's, by its number."""
_received: list[int] = []
"""The signal that ends this process, once it has come."""


@contextmanager
def command_process() -> Iterator[None]:
    """Prepare this process for a command, and leave nothing behind at its end, also when a signal ends it."""
    open_standard_streams()
    with _ending_by_signals(), temporary_folder():
        yield


def check_signals() -> None:
    """Raise once more what a signal has raised: code that Python calls back, such as a destructor, loses the first one."""
    if _received:
        _end(_received[0])


def one_line(error: BaseException) -> str:
    """Return an error as one line for the user: what we raised on purpose, what is wrong with the machine, or a fault of ours."""
    if isinstance(error, TfExportError):
        text = str(error)
    elif isinstance(error, OSError) and error.errno in _MACHINE:
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
        text = f"the system refuses to go on: {error.strerror}{where}. {_MACHINE[error.errno]}"
    elif isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # of the module tempfile
        text = "there is no temporary folder that can be written to. Set TMPDIR to a folder that can."
    elif isinstance(error, MemoryError):
        text = f"there is not enough memory: {error}. Close other programs, or use a machine with more memory."
    else:
        text = f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)"
    return shortened(" ".join(printable(text).split()), LONGEST_MESSAGE)


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let signals that end a process end it by an exception, so that all folders are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in _ENDING}
    ours = [number for number in _ENDING if before[number] in usual]
    _received.clear()
    for number in ours:
        signal.signal(number, _receive)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        _received.clear()


def _receive(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    _end(number)


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
