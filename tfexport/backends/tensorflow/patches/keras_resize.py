"""Keras 3's resize to a size that is not known while tracing.

Keras 3.15 tests with Python's ``if`` whether the new size is positive. A layer may have computed that size from a dynamic
one (``UpSampling2D``, bilinear). Keras's backend function has no such test.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.keras import imported_keras
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras runs on TensorFlow."""
    keras = imported_keras("tf")
    if keras is None:
        return []
    module = keras.src.ops.image
    return [PatchingSpec(module, "resize", _without_size_check(module.resize, keras.src.backend.image))]


def _without_size_check(original: Any, backend: Any) -> Any:
    def resize(images: Any, size: Any, *arguments: Any, **named: Any) -> Any:
        if tf.is_symbolic_tensor(images) and any(tf.is_tensor(length) for length in size):
            return backend.resize(images, size, *arguments, **named)
        return original(images, size, *arguments, **named)

    return resize
