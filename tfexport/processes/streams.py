"""Keep the frameworks' noise off the user's screen."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Screen:
    """The user's own streams, while the process's are taken away.

    Attributes:
        out: standard output.
        err: standard error.
        noise: what the frameworks wrote; None when it went to the screen.
    """

    out: IO[str]
    err: IO[str]
    noise: IO[str] | None

    def heard(self) -> str:
        """What the frameworks wrote so far."""
        if self.noise is None:
            return ""
        self.noise.flush()
        self.noise.seek(0)
        return self.noise.read()


@contextmanager
def quiet(verbose: bool) -> Iterator[Screen]:
    """Send file descriptors 1 and 2 to a temporary file for the duration of a block.

    TensorFlow's and ONNX Runtime's native code writes to the descriptors, past ``sys.stderr``. The block writes to the
    streams it is given.
    """
    if verbose:
        yield Screen(sys.stdout, sys.stderr, None)
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with (
        tempfile.TemporaryFile("w+", errors="replace") as noise,
        os.fdopen(os.dup(1), "w", encoding="utf-8") as out,
        os.fdopen(os.dup(2), "w", encoding="utf-8") as err,
    ):
        os.dup2(noise.fileno(), 1)
        os.dup2(noise.fileno(), 2)
        try:
            yield Screen(out, err, noise)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
