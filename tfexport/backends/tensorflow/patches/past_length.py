"""A key-value cache of dynamic length, for models that read its length from its static shape.

transformers 4.57's TensorFlow XGLM and Mistral read ``past_key_values[0][0].shape[2]``, which is None while a graph for any
length is traced. Here the tensors of their cache are wrapped, and the wrapper's ``shape`` has tensors in place of None.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_LAYERS = {
    "transformers.models.xglm.modeling_tf_xglm": "TFXGLMMainLayer",
    "transformers.models.mistral.modeling_tf_mistral": "TFMistralMainLayer",
}


def specs() -> list[PatchingSpec]:
    """Return the patches of those models that are imported."""
    imported = ((sys.modules[name], layer) for name, layer in _LAYERS.items() if name in sys.modules)
    return [
        PatchingSpec(getattr(module, layer), "call", _with_wrapped_cache(getattr(module, layer).call))
        for module, layer in imported
    ]


class _Lengths(list[Any]):
    """A shape whose dynamic lengths are tensors."""

    def as_list(self) -> list[int | None]:
        """Return the static lengths, and None for dynamic ones, as ``tf.TensorShape`` does."""
        return [None if tf.is_tensor(length) else length for length in self]


class _WithLengths:
    """A tensor whose ``shape`` has its dynamic lengths.

    It does not have a ``dtype``: Keras would treat an object with a dtype as a tensor with a static shape.
    """

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        dynamic = tf.shape(tensor)
        static = tensor.shape.as_list()
        self.shape = _Lengths(dynamic[axis] if length is None else length for axis, length in enumerate(static))


def _to_tensor(value: _WithLengths, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    return value.tensor


tf.register_tensor_conversion_function(_WithLengths, _to_tensor)


def _with_wrapped_cache(call: Any) -> Any:
    @wraps(call)
    def wrapping(self: Any, *args: Any, **kwargs: Any) -> Any:
        cache = kwargs.get("past_key_values")
        if cache is not None and not tf.executing_eagerly():
            kwargs["past_key_values"] = tuple(tuple(_WithLengths(tensor) for tensor in layer) for layer in cache)
        return call(self, *args, **kwargs)

    return wrapping
