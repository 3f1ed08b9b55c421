"""What each layer of a TensorFlow model gives, in the order in which the layers end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from tfexport.backends.base import Layers
from tfexport.patching import PatchingSpec, patched


@contextmanager
def recorded(layers: Layers) -> Iterator[None]:
    """Record every layer, of either Keras, that is called within a block, by the path of its and its callers' names.

    Args:
        layers: what is recorded is added to.
    """
    path: list[str] = []

    def recording(original: Any) -> Any:
        def call(layer: Any, *arguments: Any, **named: Any) -> Any:
            path.append(layer.name)
            try:
                outputs = original(layer, *arguments, **named)
                layers.add("/".join(path), tf.nest.flatten(_plain(outputs)), _is_float, lambda value: value.numpy())
            finally:
                path.pop()
            return outputs

        return call

    classes = (tf_keras.layers.Layer, keras.layers.Layer)
    with patched([PatchingSpec(each, "__call__", recording(each.__call__)) for each in classes]):
        yield


def _plain(outputs: Any) -> Any:
    return list(outputs.values()) if isinstance(outputs, dict) else outputs


def _is_float(value: Any) -> bool:
    return bool(tf.is_tensor(value) and value.dtype.is_floating)
