"""Keep the frameworks' noise off the user's screen."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO

from tfexport.processes.environment import quiet_environment
from tfexport.processes.locks import PROCESS_LOCK


@dataclass(frozen=True)
class Screen:
    """The user's own streams, while those of the process are redirected.

    Attributes:
        out: the user's standard output.
        err: the user's standard error.
        noise: file that receives what the frameworks write; None when that goes to the screen.
    """

    out: IO[str]
    err: IO[str]
    noise: IO[str] | None

    def captured(self) -> str:
        """Return what the frameworks have written so far."""
        if self.noise is None:
            return ""
        self.noise.flush()
        self.noise.seek(0)
        return self.noise.read()


@contextmanager
def quiet(verbose: bool, *, exclusive: bool = True) -> Iterator[Screen]:
    """Redirect file descriptors 1 and 2 to a temporary file for the duration of a block.

    The native code of TensorFlow and ONNX Runtime writes to the descriptors, past ``sys.stderr``. The block writes to the streams
    of the `Screen`. The descriptors belong to all threads, so that the block holds the lock of the process.

    Args:
        verbose: redirect nothing.
        exclusive: hold the lock. Pass False only in a process of tfexport's own, whose threads take the lock within the block.
    """
    if verbose:
        yield Screen(sys.stdout, sys.stderr, None)
        return
    with (
        PROCESS_LOCK if exclusive else nullcontext(),
        quiet_environment(exclusive=exclusive),
        tempfile.TemporaryFile("w+", errors="replace") as noise,
        os.fdopen(os.dup(1), "w", encoding="utf-8") as out,
        os.fdopen(os.dup(2), "w", encoding="utf-8") as err,
        _redirected(noise.fileno()),
    ):
        yield Screen(out, err, noise)


@contextmanager
def _redirected(target: int) -> Iterator[None]:
    """Let descriptors 1 and 2 be copies of another one for the duration of a block."""
    _flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    for descriptor in kept:
        os.dup2(target, descriptor)
    try:
        yield
    finally:
        _flush()
        for descriptor, original in kept.items():
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
