"""Functions that the tests call in a worker. This module imports little: each child imports it anew."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.errors import InputsError, MissingWeightsError


def act(action: str, value: Any = 0) -> Any:
    """Do what a test asks for."""
    if action == "raise":
        raise InputsError("two axes, expected one")
    if action == "raise with names":
        raise MissingWeightsError(["a"], model_class="Model", source="here")
    if action == "fail":
        raise KeyError("seven")
    if action == "die":
        os.kill(os.getpid(), signal.SIGABRT)
    if action == "exit":
        os._exit(value)
    if action == "sleep":
        time.sleep(value)
    if action == "native sleep":
        native_sleep(*value)
    if action == "allocate":
        return int(np.ones(value * 2**20 // 8).sum())
    if action == "environment":
        return os.environ.get(value)
    return os.getpid()


def native_sleep(file: str, seconds: int) -> None:
    """Write the number of this process to a file, and hold the interpreter in native code, as a model of others can."""
    Path(file).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(seconds)


def made() -> Callable[..., Any]:
    return act


def made_after(action: str) -> Callable[..., Any]:
    """Make the function after an action, which may fail."""
    act(action)
    return act
