"""Keep the frameworks' noise off the user's screen."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from tfexport.files.writing import standing_for
from tfexport.processes.environment import quiet_environment
from tfexport.processes.locks import PROCESS_LOCK

_STANDARD = (0, 1, 2)


class UserStream(io.TextIOBase):
    """A text stream on a descriptor, without a buffer: an error of a write is raised by that write, and not at the end.

    Args:
        descriptor: The descriptor, which the stream does not close.
        lenient: Drop what cannot be written, in place of an error.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, *, lenient: bool = False) -> None:
        self._descriptor, self._lenient = descriptor, lenient

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            OSError: It cannot be written, and the stream is not lenient.
        """
        rest = memoryview(text.encode(self.encoding, self.errors))
        try:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    select.select([], [self._descriptor], [])
        except OSError:
            if not self._lenient:
                raise
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True


@dataclass(frozen=True)
class Screen:
    """The user's own streams, while those of the process are redirected.

    Attributes:
        out: The user's standard output.
        err: The user's standard error. What cannot be written there is dropped: nobody could be told.
        noise: Descriptor of what the frameworks write; None when that goes to the screen.
    """

    out: IO[str]
    err: IO[str]
    noise: int | None

    def captured(self) -> str:
        """Return what the frameworks have written so far."""
        if self.noise is None:
            return ""
        with os.fdopen(os.dup(self.noise), "rb") as noise:
            noise.seek(0)
            return noise.read().decode("utf-8", "replace")


@contextmanager
def quiet(verbose: bool, *, exclusive: bool = True) -> Iterator[Screen]:
    """Redirect file descriptors 1 and 2 to a file in memory for the duration of a block.

    The native code of TensorFlow and ONNX Runtime writes to the descriptors, past ``sys.stderr``. The block writes to the streams
    of the `Screen`. The descriptors belong to all threads, so that the block holds the lock of the process.

    Args:
        verbose: Redirect nothing.
        exclusive: Hold the lock. Pass False only in a process of tfexport's own, whose threads take the lock within the block.
    """
    open_standard_streams()
    with ExitStack() as stack:
        if not verbose and exclusive:
            stack.enter_context(PROCESS_LOCK)
        out, err = (_kept(descriptor, stack) for descriptor in (1, 2))
        screen = Screen(UserStream(out), UserStream(err, lenient=True), None if verbose else _noise(stack))  # type: ignore[arg-type]
        if screen.noise is not None:
            stack.enter_context(quiet_environment(exclusive=exclusive))
            stack.enter_context(standing_for({1: out, 2: err}))
            stack.enter_context(_redirected(screen.noise, {1: out, 2: err}))
        yield screen


def open_standard_streams() -> None:
    """Open the null device as every standard stream that is closed: a file that is opened later must not take its place."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _kept(descriptor: int, stack: ExitStack) -> int:
    copy = os.dup(descriptor)
    stack.callback(os.close, copy)
    return copy


def _noise(stack: ExitStack) -> int:
    """Return the descriptor of a file that needs no folder; where the system has none, that of a temporary file or of nothing."""
    try:
        noise = os.memfd_create("tfexport")
    except (AttributeError, OSError):
        try:
            with tempfile.TemporaryFile() as file:
                noise = os.dup(file.fileno())
        except OSError:
            noise = os.open(os.devnull, os.O_RDWR)
    stack.callback(os.close, noise)
    return noise


@contextmanager
def _redirected(target: int, kept: dict[int, int]) -> Iterator[None]:
    """Let descriptors 1 and 2 be copies of another one for the duration of a block."""
    flush()
    for descriptor in kept:
        os.dup2(target, descriptor)
    try:
        yield
    finally:
        flush()
        for descriptor, original in kept.items():
            os.dup2(original, descriptor)


def flush() -> OSError | None:
    """Flush the streams of Python, and return the error of standard output, unless only its reader has gone."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except ValueError:  # it is closed
        return None
    except OSError as error:
        return None if error.errno == errno.EPIPE else error
    return None
