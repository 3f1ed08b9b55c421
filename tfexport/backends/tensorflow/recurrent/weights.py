"""Weights of Keras's cells in ONNX's order."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.keras.recurrent import Operator


def weights_of(operator: Operator) -> tuple[Any, Any, Any]:
    """Return W, R and B of an operator, with None for B where the cell has no bias."""
    cell = operator.cell
    kernels = (_kernel(_ordered(kernel, operator.order)) for kernel in (cell.kernel, cell.recurrent_kernel))
    return *kernels, None if cell.bias is None else _bias(_ordered(cell.bias, operator.order))


def _ordered(weight: Any, order: list[int] | None) -> Any:
    """Reorder the gates of a weight, which are its last axis."""
    weight = tf.convert_to_tensor(weight)
    return weight if order is None else tf.gather(weight, order, axis=len(weight.shape) - 1)


def _kernel(weight: Any) -> Any:
    """Convert ``(inputs, gates)`` to ONNX's ``(1, gates, inputs)``."""
    return tf.expand_dims(tf.transpose(weight), 0)


def _bias(bias: Any) -> Any:
    """Convert ``(gates,)``, or biases of inputs and state ``(2, gates)``, to ONNX's ``(1, 2 * gates)``."""
    both = tf.reshape(bias, [-1]) if len(bias.shape) == 2 else tf.concat([bias, tf.zeros_like(bias)], 0)
    return tf.expand_dims(both, 0)
