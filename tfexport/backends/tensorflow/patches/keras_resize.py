"""Keras 3's resize to a size that is not known while tracing.

Keras 3.15 asks of the size that a layer computed of a dynamic one (``UpSampling2D``, bilinear) whether it is positive, with
Python's ``if``. Its backend does not ask.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfexport.declarations.patching import PatchingSpec

FOR_ALL = True


def specs() -> list[PatchingSpec]:
    """The patch."""
    module = keras.src.ops.image
    return [PatchingSpec(module, "resize", _without_asking(module.resize))]


def _without_asking(original: Any) -> Any:
    def resize(images: Any, size: Any, *arguments: Any, **named: Any) -> Any:
        if tf.is_symbolic_tensor(images) and any(tf.is_tensor(length) for length in size):
            return keras.src.backend.image.resize(images, size, *arguments, **named)
        return original(images, size, *arguments, **named)

    return resize
