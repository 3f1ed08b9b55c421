"""The state of a process, and what differs between two moments."""

from __future__ import annotations

import locale
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
import torch
import transformers

from conformance.attack.scripts.reporting import problem

_PATCHED = ("torch", "tensorflow", "tf_keras", "keras", "transformers", "tf2onnx", "onnx", "onnxscript", "onnx_ir")
_PYTHON = ("logging", "warnings", "builtins", "os", "json")
_CLASS_ATTRIBUTES = (staticmethod, classmethod, property)


@contextmanager
def unchanged(when: str, *, functions: bool = True) -> Iterator[None]:
    """Report what a block changes in the process.

    Args:
        when: Description of the block.
        functions: Whether functions are compared too: those of modules that are imported meanwhile are new, not changed.
    """
    state, patched = _state(), _functions() if functions else {}
    yield
    now = _state()
    for name, value in state.items():
        if name == "loggers":
            found = {each: now[name][each] for each in value if value[each] != now[name].get(each)}
            if found:
                problem(f"{when}: loggers changed: {found}")
        elif value != now[name]:
            problem(f"{when}: {name} changed: {_difference(value, now[name])}")
    if functions:
        current = _functions()
        changed = [".".join(each) for each, value in patched.items() if each in current and current[each] != value]
        if changed:
            problem(f"{when}: {len(changed)} functions changed: {changed[:4]}")


def _state() -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    loggers = {
        name: (logger.level, logger.propagate, logger.disabled, list(logger.handlers))
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    return {
        "the environment": dict(os.environ),
        "the working folder": Path.cwd(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "filters of warnings": list(warnings.filters),
        "the root logger": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "loggers": loggers,
        "the verbosity of transformers": transformers.utils.logging.get_verbosity(),
        "torch's dtype": torch.get_default_dtype(),
        "torch's gradients": torch.is_grad_enabled(),
        "torch's threads": torch.get_num_threads(),
        "torch's determinism": torch.are_deterministic_algorithms_enabled(),
        "torch's random state": torch.get_rng_state().tolist(),
        "Python's random state": random.getstate(),
        "NumPy's random state": str(np.random.get_state()),
        "NumPy's errors": np.geterr(),
        "eager functions": tf.config.functions_run_eagerly(),
        "eager execution": tf.executing_eagerly(),
        "Keras's dtype": keras.config.dtype_policy().name,
        "tf_keras's dtype": tf_keras.mixed_precision.global_policy().name,
        "handlers of signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "sys.path": list(sys.path),
        "the streams": (sys.stdout, sys.stderr),
        "the limit of recursion": sys.getrecursionlimit(),
        "the hook of exceptions": sys.excepthook,
        "umask": umask,
    }


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        return str({name: after.get(name) for name in sorted(names)})[:200]
    return str(after)[:100]


def _functions() -> dict[tuple[str, ...], int]:
    """Return the identity of whatever can be patched, by name."""
    found: dict[tuple[str, ...], int] = {}
    for name, module in list(sys.modules.items()):
        if module is None or name.split(".")[0] not in (*_PATCHED, *_PYTHON):
            continue
        for key, value in list(vars(module).items()):
            if callable(value):
                found[name, key] = id(value)
            if isinstance(value, type) and value.__module__ == name:
                for inner, each in list(vars(value).items()):
                    if callable(each) or isinstance(each, _CLASS_ATTRIBUTES):
                        found[name, key, inner] = id(each)
    return found
