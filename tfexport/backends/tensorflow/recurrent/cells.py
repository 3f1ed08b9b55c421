"""Keras's cells as ONNX's recurrent operators: their activations, and their weights in ONNX's order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfexport.backends.tensorflow.recurrent.activations import activation_of, attributes_of

_PACKAGES = ("keras.src.layers.rnn", "tf_keras.src.layers.rnn")


@dataclass(frozen=True)
class Operator:
    """An operator that computes a cell.

    Attributes:
        cell: the cell.
        op_type: LSTM, GRU or RNN.
        units: length of the output.
        states: how many states there are.
        attributes: of the operator; those of the layer (direction) are not among them.
        weights: makes W, R and B of a cell; None in place of B for one without bias.
    """

    cell: Any
    op_type: str
    units: int
    states: int
    attributes: dict[str, Any]
    weights: Callable[[Any], tuple[Any, Any, Any]]


def operator_of(cell: Any) -> Operator | None:
    """The operator that computes a cell; None where there is none.

    A subclass may compute anything: only Keras's own classes are known. ONNX Runtime computes the operators in float32.
    """
    make = next((make for name, make in _CELLS.items() if type(cell) in _classes(*name)), None)
    if make is None or cell.compute_dtype != "float32" or cell.variable_dtype != "float32":
        return None
    return make(cell)


def _classes(module: str, name: str) -> list[Any]:
    modules = (sys.modules.get(f"{package}.{module}") for package in _PACKAGES)
    return [getattr(module, name) for module in modules if module is not None]


def _lstm(cell: Any) -> Operator | None:
    return _operator("LSTM", cell, (cell.recurrent_activation, cell.activation, cell.activation), 2, {}, _lstm_weights)


def _gru(cell: Any) -> Operator | None:
    reset_after = {"linear_before_reset": int(cell.reset_after)}
    return _operator("GRU", cell, (cell.recurrent_activation, cell.activation), 1, reset_after, _weights)


def _simple_rnn(cell: Any) -> Operator | None:
    return _operator("RNN", cell, (cell.activation,), 1, {}, _weights)


# (module, class) -> its operator
_CELLS: dict[tuple[str, str], Callable[[Any], Operator | None]] = {
    ("lstm", "LSTMCell"): _lstm,
    ("gru", "GRUCell"): _gru,
    ("simple_rnn", "SimpleRNNCell"): _simple_rnn,
}


def _operator(
    op_type: str,
    cell: Any,
    functions: tuple[Any, ...],
    states: int,
    attributes: dict[str, Any],
    weights: Callable[[Any], tuple[Any, Any, Any]],
) -> Operator | None:
    activations = [found for found in map(activation_of, functions) if found is not None]
    if len(activations) < len(functions):
        return None
    attributes = {"hidden_size": int(cell.units), **attributes_of(activations), **attributes}
    return Operator(cell, op_type, int(cell.units), states, attributes, weights)


def _weights(cell: Any) -> tuple[Any, Any, Any]:
    """Weights whose gates are in ONNX's order already."""
    return _kernel(cell.kernel), _kernel(cell.recurrent_kernel), None if cell.bias is None else _bias(cell.bias)


def _lstm_weights(cell: Any) -> tuple[Any, Any, Any]:
    """Gates from Keras's order (input, forget, cell, output) into ONNX's (input, output, forget, cell)."""
    order = np.arange(4 * cell.units).reshape(4, -1)[[0, 3, 1, 2]].ravel()

    def reordered(weight: Any) -> Any:
        weight = tf.convert_to_tensor(weight)
        return tf.gather(weight, order, axis=len(weight.shape) - 1)

    bias = None if cell.bias is None else _bias(reordered(cell.bias))
    return _kernel(reordered(cell.kernel)), _kernel(reordered(cell.recurrent_kernel)), bias


def _kernel(weight: Any) -> Any:
    """``(inputs, gates)`` as ONNX has it, ``(1, gates, inputs)``."""
    return tf.expand_dims(tf.transpose(tf.convert_to_tensor(weight)), 0)


def _bias(bias: Any) -> Any:
    """``(gates,)``, or one of inputs and one of the state ``(2, gates)``, as ONNX has it: ``(1, 2 * gates)``."""
    bias = tf.convert_to_tensor(bias)
    both = tf.reshape(bias, [-1]) if len(bias.shape) == 2 else tf.concat([bias, tf.zeros_like(bias)], 0)
    return tf.expand_dims(both, 0)
