"""Weights of Keras's cells in ONNX's order."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.keras.recurrent import Operator


def weights_of(operator: Operator) -> tuple[Any, Any, Any]:
    """W, R and B of an operator; None in place of B for a cell without bias."""
    cell = operator.cell
    kernels = (_kernel(_ordered(kernel, operator.order)) for kernel in (cell.kernel, cell.recurrent_kernel))
    return *kernels, None if cell.bias is None else _bias(_ordered(cell.bias, operator.order))


def _ordered(weight: Any, order: list[int] | None) -> Any:
    """A weight with its gates, which are its last axis, in another order."""
    weight = tf.convert_to_tensor(weight)
    return weight if order is None else tf.gather(weight, order, axis=len(weight.shape) - 1)


def _kernel(weight: Any) -> Any:
    """``(inputs, gates)`` as ONNX has it, ``(1, gates, inputs)``."""
    return tf.expand_dims(tf.transpose(weight), 0)


def _bias(bias: Any) -> Any:
    """``(gates,)``, or one of inputs and one of the state ``(2, gates)``, as ONNX has it: ``(1, 2 * gates)``."""
    both = tf.reshape(bias, [-1]) if len(bias.shape) == 2 else tf.concat([bias, tf.zeros_like(bias)], 0)
    return tf.expand_dims(both, 0)
