"""Keras 3's batch normalisation of images as one op.

Keras 3.15 computes it with seven ops on the weights. ONNX has one op for it, which runtimes fuse with the convolution before.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.keras import imported_keras
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")

_RANK = 4


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras is imported, and runs on TensorFlow."""
    keras = imported_keras("tf")
    if keras is None:
        return []
    module = keras.src.backend.nn
    return [PatchingSpec(module, "batch_normalization", _as_one_op(module.batch_normalization))]


def _as_one_op(original: Any) -> Any:
    def batch_normalization(
        x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
    ) -> Any:
        images = tf.is_symbolic_tensor(x) and x.shape.rank == _RANK and axis in (-1, _RANK - 1)
        if not images or x.dtype != tf.float32:
            return original(x, mean, variance, axis, offset=offset, scale=scale, epsilon=epsilon)
        outputs, *_ = tf.compat.v1.nn.fused_batch_norm(
            x,
            tf.ones_like(mean) if scale is None else scale,
            tf.zeros_like(mean) if offset is None else offset,
            mean=mean,
            variance=variance,
            epsilon=epsilon,
            is_training=False,
        )
        return outputs

    return batch_normalization
