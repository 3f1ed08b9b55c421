"""A key-value cache of dynamic length, for models that read its length off its static shape.

transformers 4.57's TensorFlow XGLM and Mistral take ``past_key_values[0][0].shape[2]``, which is None while a graph of any
length is traced. Their cache comes in a guise whose ``shape`` has tensors in the place of None.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

import tensorflow as tf

from tfexport.declarations.patching import PatchingSpec

_LAYERS = {
    "transformers.models.xglm.modeling_tf_xglm": "TFXGLMMainLayer",
    "transformers.models.mistral.modeling_tf_mistral": "TFMistralMainLayer",
}


def specs() -> list[PatchingSpec]:
    """The patches, for those of these models that are imported."""
    imported = ((sys.modules[name], layer) for name, layer in _LAYERS.items() if name in sys.modules)
    return [
        PatchingSpec(getattr(module, layer), "call", _with_guised_cache(getattr(module, layer).call))
        for module, layer in imported
    ]


class _Lengths(list[Any]):
    """A shape whose dynamic lengths are tensors."""

    def as_list(self) -> list[int | None]:
        """The static lengths; None for the others, as of a ``tf.TensorShape``."""
        return [None if tf.is_tensor(length) else length for length in self]


class _Guised:
    """A tensor that says its dynamic lengths. It has no ``dtype``, by which Keras would take it for one with static ones."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        dynamic = tf.shape(tensor)
        static = tensor.shape.as_list()
        self.shape = _Lengths(dynamic[axis] if length is None else length for axis, length in enumerate(static))


def _to_tensor(value: _Guised, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    return value.tensor


tf.register_tensor_conversion_function(_Guised, _to_tensor)


def _with_guised_cache(call: Any) -> Any:
    @wraps(call)
    def guised(self: Any, *args: Any, **kwargs: Any) -> Any:
        cache = kwargs.get("past_key_values")
        if cache is not None and not tf.executing_eagerly():
            kwargs["past_key_values"] = tuple(tuple(_Guised(tensor) for tensor in layer) for layer in cache)
        return call(self, *args, **kwargs)

    return guised
