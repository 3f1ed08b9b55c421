"""The state of a process that an export must leave as it was: one table, for the tests that run in a child process."""

from __future__ import annotations

import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def _loggers() -> dict[str, Any]:
    return {
        name: (logger.level, logger.propagate, logger.disabled, list(logger.handlers))
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }


def _of(module: str, read: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a reader of a module's state; the state is None until the module is imported."""
    return lambda: read(sys.modules[module]) if module in sys.modules else None


def _patched() -> dict[tuple[Any, str], Any]:
    """Return the attributes that patches of either backend replace, and those that are changed around a conversion."""
    found: dict[tuple[Any, str], Any] = {}
    for name in ("pytorch", "tensorflow"):
        patches = sys.modules.get(f"tfexport.backends.{name}.patches")
        if patches is not None:
            found |= {(spec.o, spec.name): vars(spec.o).get(spec.name) for spec in patches._specs()}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in ("tf2onnx", "logging", "warnings") and module is not None:
            found |= {(name, key): id(value) for key, value in vars(module).items() if callable(value)}
    return found


STATE: Mapping[str, Callable[[], Any]] = {
    "environment": lambda: dict(os.environ),
    "working folder": os.getcwd,
    "umask": _umask,
    "locale": lambda: locale.setlocale(locale.LC_ALL),
    "import path": lambda: list(sys.path),
    "streams": lambda: (sys.stdin, sys.stdout, sys.stderr, sys.excepthook),
    "recursion limit": sys.getrecursionlimit,
    "switch interval": sys.getswitchinterval,
    "signal handlers": lambda: [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
    "warnings": lambda: (list(warnings.filters), warnings.showwarning),
    "root logger": lambda: (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
    "loggers": _loggers,
    "random numbers": random.getstate,
    "NumPy's random numbers": lambda: repr(np.random.get_state()),
    "NumPy's errors": np.geterr,
    "torch's random numbers": _of("torch", lambda torch: torch.get_rng_state().tolist()),
    "torch's dtype": _of("torch", lambda torch: torch.get_default_dtype()),
    "torch's gradients": _of("torch", lambda torch: torch.is_grad_enabled()),
    "torch's threads": _of("torch", lambda torch: torch.get_num_threads()),
    "torch's determinism": _of("torch", lambda torch: torch.are_deterministic_algorithms_enabled()),
    "TensorFlow runs eagerly": _of(
        "tensorflow", lambda tf: (tf.executing_eagerly(), tf.config.functions_run_eagerly())
    ),
    "TensorFlow's random numbers": _of(
        "tensorflow.python.eager.context", lambda module: getattr(module.context(), "_rng", random).getstate()
    ),
    "tf_keras's policy": _of("tf_keras", lambda keras: keras.mixed_precision.global_policy().name),
    "tf_keras's names": _of(
        "tf_keras.src.backend", lambda module: [dict(each) for each in module.PER_GRAPH_OBJECT_NAME_UIDS.values()]
    ),
    "Keras's policy": _of("keras", lambda keras: keras.config.dtype_policy().name),
    "Keras's names": _of(
        "keras.src.backend.common.global_state",
        lambda module: dict(module.get_global_attribute("object_name_uids") or {}),
    ),
    "transformers' log": _of("transformers", lambda module: module.utils.logging.get_verbosity()),
    "tf2onnx's numbers": _of("tf2onnx.utils", lambda module: module.INTERNAL_NAME),
    "patched functions": _patched,
    "threads": threading.active_count,
}
"""Functions that read a part of the state, by its name."""


def state() -> dict[str, Any]:
    """Return the whole state."""
    return {name: read() for name, read in STATE.items()}


def changes(before: Mapping[str, Any]) -> list[str]:
    """Return the names of the parts that are not what they were."""
    after = state()
    return [name for name in STATE if not _is_same(before[name], after[name])]


def _is_same(before: Any, after: Any) -> bool:
    if isinstance(before, dict) and isinstance(after, dict) and "PATH" not in before:
        return all(after.get(name, value) == value for name, value in before.items())  # imports add modules and loggers
    return bool(before is None or before == after)
