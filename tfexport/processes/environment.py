"""Environment variables of this process, set for a while and restored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@contextmanager
def surroundings(threads: int | None = None) -> Iterator[None]:
    """Environment variables, set for what is started within a block: no noise, no network, and numbers of threads.

    Args:
        threads: that what is started may use; None leaves it to each library.
    """
    variables = _QUIET if threads is None else {**_QUIET, **dict.fromkeys(_THREADS, str(threads))}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
