"""The one lock of this process, for what all its threads share.

Loading, tracing and running a model change state that belongs to the whole process: patches of transformers, Keras and torch,
the level of logging, warnings, standard streams, environment variables. Each holder of the lock finds that state as the user left
it, and puts it back. So several threads may export, and take turns where a framework works. To export faster, use processes.

The lock is held for imports of frameworks too: modules that import each other, imported by two threads, can be seen half made.

The global generators of random numbers are part of that state (`tfexport.processes.random_state`).

The lock can be taken again by the thread that holds it. A thread must not wait for another thread while it holds the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import ParamSpec, TypeVar

from tfexport.processes.random_state import own_random_numbers

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

PROCESS_LOCK = RLock()
"""Held while the state of the process differs from what the user left."""
_inside: list[bool] = []
"""One item while the holder of the lock is in a function that is `exclusive`."""


def exclusive(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Decorate a function so that it holds the lock of the process while it runs, and leaves the user's random numbers alone."""

    @wraps(function)
    def locked(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> _Result:
        with PROCESS_LOCK, _outermost():
            return function(*arguments, **keywords)

    return locked


@contextmanager
def _outermost() -> Iterator[None]:
    """Draw from tfexport's random numbers for the duration of a block, unless the thread is in such a block already."""
    if _inside:
        yield
        return
    _inside.append(True)
    try:
        with own_random_numbers():
            yield
    finally:
        _inside.clear()
