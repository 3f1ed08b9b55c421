"""Keras 3's sign bits, computed without a bitcast of floats to integers: ONNX has no such op before opset 25.

``keras.ops.argmax`` and ``argmin`` use sign bits to distinguish -0.0 from 0.0. The sign of the reciprocal does the same.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.keras import imported_keras
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras is imported, and runs on TensorFlow."""
    keras = imported_keras("tf")
    if keras is None:
        return []
    module = keras.src.backend.numpy
    return [PatchingSpec(module, "signbit", _by_reciprocal(module.signbit))]


def _by_reciprocal(original: Any) -> Any:
    def signbit(x: Any) -> Any:
        if not tf.is_symbolic_tensor(x) or not x.dtype.is_floating:
            return original(x)
        return (x < 0) | ((x == 0) & (1 / x < 0))

    return signbit
