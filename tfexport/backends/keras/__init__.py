"""Keras 3, whichever framework it runs on: what both backends know of its files and its models."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tfexport.checkpoints.framework import Framework
from tfexport.errors import FrameworkError, FrameworkNotInstalledError
from tfexport.processes.environment import environment

_BACKENDS: dict[Framework, str] = {"tf": "tensorflow", "pt": "torch"}
_SETTING = "KERAS_BACKEND"


def keras_on(framework: Framework) -> Any:
    """Keras 3, on a framework.

    Raises:
        FrameworkNotInstalledError: Keras is not installed.
        FrameworkError: Keras runs on another framework in this process: it is chosen when Keras is first imported.
    """
    if find_spec("keras") is None:
        raise FrameworkNotInstalledError(
            "Keras is needed for this checkpoint and is not installed. Install the package keras."
        )
    wanted = _BACKENDS[framework]
    if "keras" in sys.modules:
        keras = import_module("keras")
    else:
        with environment({_SETTING: wanted}):
            keras = import_module("keras")
    if keras.backend.backend() != wanted:
        raise FrameworkError(
            f"Keras runs on {keras.backend.backend()} in this process, and {wanted} is needed. Set {_SETTING}={wanted} before "
            "Keras, or TensorFlow, is imported."
        )
    return keras
