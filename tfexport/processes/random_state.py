"""The global generators of random numbers: those of Python, NumPy, PyTorch and TensorFlow.

Frameworks draw from them while a model is loaded, traced and run; TensorFlow draws the seeds of its ops from Python's. The work
of tfexport draws from streams of its own, so that the user's streams stay where they were. Its streams begin anew with each
model, so that two processes make the same seeds, and the same weights where a checkpoint lacks some.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SEED = 0


@dataclass(frozen=True)
class _Generator:
    """A global generator of one library.

    Attributes:
        module: Name of the module that holds it; the generator is left alone until the module is imported.
        state: Function from the module to the state of the generator.
        restore: Function that sets such a state.
        fresh: Function from the module to the state of a generator that was just seeded.
    """

    module: str
    state: Callable[[Any], Any]
    restore: Callable[[Any, Any], object]
    fresh: Callable[[Any], Any]


def _seeded_by_user(context: Any) -> Any:
    """Return TensorFlow's own generator, which it draws from only after ``tf.random.set_seed``; None before that."""
    return getattr(context.context_safe(), "_rng", None)


def _state_of_tensorflow(context: Any) -> Any:
    generator = _seeded_by_user(context)
    return None if generator is None else generator.getstate()


def _restore_tensorflow(context: Any, state: Any) -> None:
    generator = _seeded_by_user(context)
    if generator is not None and state is not None:
        generator.setstate(state)


_GENERATORS = (
    _Generator(
        "random",
        lambda module: module.getstate(),
        lambda module, state: module.setstate(state),
        lambda module: module.Random(_SEED).getstate(),
    ),
    _Generator(
        "numpy.random",
        lambda module: module.get_state(legacy=False),
        lambda module, state: module.set_state(state),
        lambda module: module.RandomState(_SEED).get_state(legacy=False),
    ),
    _Generator(
        "torch",
        lambda module: module.get_rng_state(),
        lambda module, state: module.set_rng_state(state),
        lambda module: module.Generator().manual_seed(_SEED).get_state(),
    ),
    _Generator(
        "tensorflow.python.eager.context",
        _state_of_tensorflow,
        _restore_tensorflow,
        lambda _: random.Random(_SEED).getstate(),
    ),
)
_ours: dict[str, Any] = {}
"""States of the streams of tfexport, by the module of the generator."""


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Draw from the streams of tfexport for the duration of a block, which the caller's lock makes the only one."""
    users = [(each, sys.modules[each.module], each.state(sys.modules[each.module])) for each in _imported()]
    for each, module, _ in users:
        each.restore(module, _ours[each.module] if each.module in _ours else each.fresh(module))
    try:
        yield
    finally:
        _ours.update({each.module: each.state(sys.modules[each.module]) for each in _imported()})
        for each, module, state in users:
            each.restore(module, state)


def begin_anew() -> None:
    """Set the streams of tfexport to their beginnings, within `own_random_numbers`."""
    for each in _imported():
        module = sys.modules[each.module]
        each.restore(module, each.fresh(module))


def _imported() -> list[_Generator]:
    # None stands there for a package that must not be imported.
    return [each for each in _GENERATORS if sys.modules.get(each.module) is not None]
