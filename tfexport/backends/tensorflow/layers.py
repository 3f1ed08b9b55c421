"""Outputs of each layer of a TensorFlow model, in the order in which the layers end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
import tf_keras

from tfexport.backends.base import Layers
from tfexport.backends.keras import imported_keras
from tfexport.backends.keras.layers import recorded_calls


@contextmanager
def recorded(layers: Layers) -> Iterator[None]:
    """Record every layer, of either Keras, that is called in a block, by the path of its callers' names and its own.

    Args:
        layers: Mapping to which the outputs are added.
    """
    keras = imported_keras("tf")
    classes = [tf_keras.layers.Layer, *([] if keras is None else [keras.layers.Layer])]
    with recorded_calls(classes, layers, tf.nest.flatten, _is_float, lambda value: value.numpy()):
        yield


def _is_float(value: Any) -> bool:
    return bool(tf.is_tensor(value) and value.dtype.is_floating)
