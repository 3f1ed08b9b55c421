"""Keras 3's TimeDistributed over a time axis of any length, without a loop.

Keras 3.15 vectorises the layer over the steps with ``tf.vectorized_map``. tf2onnx 1.17.0 converts the graph of that wrongly:
the file returns as many steps as the batch has rows. Inference computes each row of a batch independently, so steps can
be rows; tf_keras does the same.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")

_MODULE = "keras.src.layers.rnn.time_distributed"


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras's layers are imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    original = module.TimeDistributed.call

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if inputs.shape[1] is not None or training:
            return original(self, inputs, training=training, mask=mask)
        named: dict[str, Any] = {}
        if self.layer._call_has_mask_arg and mask is not None:
            named["mask"] = _as_rows(mask)
        if self.layer._call_has_training_arg:
            named["training"] = training
        outputs = self.layer.call(_as_rows(inputs), **named)
        lengths = [*tf.unstack(tf.shape(inputs)[:2]), *tf.unstack(tf.shape(outputs)[1:])]
        return tf.ensure_shape(tf.reshape(outputs, lengths), [*inputs.shape[:2], *outputs.shape[1:]])

    return [PatchingSpec(module.TimeDistributed, "call", call)]


def _as_rows(tensor: Any) -> Any:
    """Reshape ``(batch, time, ...)`` to ``(batch * time, ...)``."""
    lengths = [-1, *tf.unstack(tf.shape(tensor)[2:])]
    return tf.ensure_shape(tf.reshape(tensor, lengths), [None, *tensor.shape[2:]])
