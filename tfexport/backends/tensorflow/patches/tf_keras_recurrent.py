"""Recurrent layers of tf_keras as ONNX's operators.

This is ``keras_recurrent.py`` for tf_keras, where the loop is in ``call``. A layer that keeps its state between calls, or
receives ragged tensors or constants, is called unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import tensorflow as tf

from tfexport.backends.tensorflow.recurrent import Sequences, operator_of, run_operator
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("tf-keras", ">=2.21,<2.22")

_CLASSES = (("base_rnn", "RNN"), ("lstm", "LSTM"), ("gru", "GRU"))


def specs() -> list[PatchingSpec]:
    """Return the patches if the layers of tf_keras are imported."""
    modules = ((sys.modules.get(f"tf_keras.src.layers.rnn.{file}"), name) for file, name in _CLASSES)
    layers = [getattr(module, name) for module, name in modules if module is not None]
    return [PatchingSpec(layer, "call", _with_operator(layer.call)) for layer in layers]


def _with_operator(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``call`` that emits the operator where there is one."""

    @wraps(original)
    def call(
        self: Any, inputs: Any, mask: Any = None, training: Any = None, initial_state: Any = None, **constants: Any
    ) -> Any:
        one_mask = mask[0] if isinstance(mask, list) else mask
        operator = None if _needs_a_loop(self, inputs, one_mask, training, constants) else operator_of(self.cell)
        if operator is None:
            return original(self, inputs, mask=mask, training=training, initial_state=initial_state, **constants)
        tensors, states, _ = self._process_inputs(inputs, initial_state, None)
        called = Sequences(
            tensors,
            list(states),
            one_mask,
            go_backwards=self.go_backwards,
            time_major=self.time_major,
            zero_output_for_mask=self.zero_output_for_mask,
        )
        last, outputs, states = run_operator(operator, called)
        output = outputs if self.return_sequences else last
        return [output, *states] if self.return_state else output

    return call


def _needs_a_loop(self: Any, inputs: Any, mask: Any, training: Any, constants: dict[str, Any]) -> bool:
    sequences = inputs[0] if isinstance(inputs, list) else inputs
    is_plain = tf.is_tensor(sequences) and len(sequences.shape) == 3 and (mask is None or len(mask.shape) == 2)
    returns_runtime = getattr(self, "return_runtime", False) or getattr(self, "_return_runtime", False)
    has_constants = any(value is not None for value in constants.values())
    return bool(self.stateful or training or not is_plain or returns_runtime or has_constants or tf.executing_eagerly())
