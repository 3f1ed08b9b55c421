"""Branches on whether there is more than one token, or any token in the cache.

transformers 4.57's TensorFlow decoders (BART and those modelled on it, OPT, Whisper) make their causal mask differently for
several tokens and for one: ``if input_shape[-1] > 1``. They put columns for the past before it
``if past_key_values_length > 0``. While a graph for any length is traced, these lengths are tensors, and Python cannot branch
on them. AutoGraph can, but it is four times slower and leaves conditionals in the file. The branch for several tokens is
also right for one, and zero columns are right for an empty past, so the true branches are traced.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_LIMITS = (0, 1)


def specs() -> list[PatchingSpec]:
    """Return the patch of a symbolic tensor's truth value."""
    return [PatchingSpec(tf.Tensor, "__bool__", _long_enough(tf.Tensor.__bool__))]


def _long_enough(refuse: Any) -> Any:
    def is_true(self: Any) -> bool:
        """Return True for ``length > 0`` and ``length > 1``; everything else raises TensorFlow's own error."""
        if tf.is_symbolic_tensor(self) and self.op.type == "Greater":
            length, limit = self.op.inputs
            if length.shape.rank == 0 and _is_length(length) and tf.get_static_value(limit) in _LIMITS:
                return True
        return bool(refuse(self))

    return is_true


def _is_length(tensor: Any) -> bool:
    """Return whether a tensor is one element of a shape."""
    return bool(tensor.op.type == "StridedSlice" and tensor.op.inputs[0].op.type == "Shape")
