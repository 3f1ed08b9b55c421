"""Keras 3 in either framework: its files and its models, as far as both backends share them."""

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


def imported_keras(framework: Framework) -> Any:
    """Return Keras 3 if it is imported already and runs on a framework; None otherwise. It is never imported here."""
    keras = sys.modules.get("keras")
    backend = getattr(keras, "backend", None)  # missing while Keras itself is being imported
    return keras if backend is not None and backend.backend() == _BACKENDS[framework] else None


def keras_on(framework: Framework) -> Any:
    """Return Keras 3, running on a framework.

    Raises:
        FrameworkNotInstalledError: Keras is not installed.
        FrameworkError: Keras runs on another framework in this process. Keras chooses it when it is first imported.
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
            "Keras or TensorFlow is imported."
        )
    return keras
