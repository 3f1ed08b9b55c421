"""The life of a child process: it ends when its parent does, however the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LOOK_S = 1.0
_ENDED = 1


def end_with_parent(parent: int) -> None:
    """Let this process end when its parent ends, also by SIGKILL: nobody would read its answer.

    On Linux the kernel kills it, even while native code holds the interpreter. Elsewhere a thread looks for the parent.

    Args:
        parent: Number of the parent process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before this process asked
        os._exit(_ENDED)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(_ENDED)
