"""Branches on whether there is more than one token, or any in the cache.

transformers 4.57's TensorFlow decoders (BART and all that are made after it, OPT, Whisper) make their causal mask in one
way for several tokens and in another for one: ``if input_shape[-1] > 1``; and put columns for the past before it
``if past_key_values_length > 0``. While a graph of any length is traced these lengths are tensors, which Python cannot branch
on; AutoGraph can, four times slower, and leaves conditionals in the file. The way for several tokens is right for one
too, and no columns are right for no past, so these are the ways that are traced.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.declarations.patching import PatchingSpec

_LIMITS = (0, 1)


def specs() -> list[PatchingSpec]:
    """The patch of symbolic tensors: what they say when Python asks whether they are true."""
    return [PatchingSpec(tf.Tensor, "__bool__", _long_enough(tf.Tensor.__bool__))]


def _long_enough(refuse: Any) -> Any:
    def is_true(self: Any) -> bool:
        """True for ``length > 0`` and ``length > 1``; the framework's own refusal for all else."""
        if tf.is_symbolic_tensor(self) and self.op.type == "Greater":
            length, limit = self.op.inputs
            if length.shape.rank == 0 and _is_length(length) and tf.get_static_value(limit) in _LIMITS:
                return True
        return bool(refuse(self))

    return is_true


def _is_length(tensor: Any) -> bool:
    """Whether a tensor is one number of a shape."""
    return bool(tensor.op.type == "StridedSlice" and tensor.op.inputs[0].op.type == "Shape")
