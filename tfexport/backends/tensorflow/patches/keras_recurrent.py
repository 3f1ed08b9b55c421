"""Recurrent layers of Keras 3 as ONNX's operators.

Keras runs a cell in a loop over the steps. Where an operator computes the same values, the operator is traced, because an
ONNX loop computes the steps one by one. A layer without an operator is traced as a loop. This also holds on a machine with
a GPU, where Keras would use cuDNN's kernel.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.tensorflow.recurrent import Sequences, operator_of, run_operator
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")

_CLASSES = (("rnn", "RNN"), ("lstm", "LSTM"), ("gru", "GRU"))


def specs() -> list[PatchingSpec]:
    """Return the patches if Keras's layers are imported."""
    modules = {name: sys.modules.get(f"keras.src.layers.rnn.{name}") for name, _ in _CLASSES}
    rnn = modules["rnn"]
    if rnn is None:
        return []
    loop = rnn.RNN.inner_loop

    def inner_loop(self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        operator = None if _needs_a_loop(sequences, mask, training) else operator_of(self.cell)
        if operator is None:
            return loop(self, sequences, initial_state, mask, training=training)
        return run_operator(operator, Sequences.of_layer(self, sequences, initial_state, mask))

    return [
        PatchingSpec(getattr(module, name), "inner_loop", inner_loop)
        for (file, name) in _CLASSES
        if (module := modules[file]) is not None
    ]


def _needs_a_loop(sequences: Any, mask: Any, training: Any) -> bool:
    is_plain = tf.is_tensor(sequences) and len(sequences.shape) == 3 and (mask is None or len(mask.shape) == 2)
    return bool(training) or not is_plain or tf.executing_eagerly()
