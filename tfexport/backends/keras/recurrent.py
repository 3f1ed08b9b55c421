"""The cells of Keras 3 and tf_keras as ONNX's recurrent operators, in either framework."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfexport.backends.keras.activations import activation_of, attributes_of

_PACKAGES = ("keras.src.layers.rnn", "tf_keras.src.layers.rnn")


@dataclass(frozen=True)
class Operator:
    """An operator that computes a cell.

    Attributes:
        cell: Keras's cell.
        op_type: LSTM, GRU or RNN.
        units: Length of the output.
        states: Number of states.
        attributes: Attributes of the operator, without those of the layer (direction).
        gates: Positions of ONNX's gates among Keras's.
    """

    cell: Any
    op_type: str
    units: int
    states: int
    attributes: dict[str, Any]
    gates: tuple[int, ...]

    @property
    def order(self) -> list[int] | None:
        """Positions of ONNX's columns of a kernel among Keras's; None where both have the same order."""
        if self.gates == tuple(sorted(self.gates)):
            return None
        return [gate * self.units + unit for gate in self.gates for unit in range(self.units)]


@dataclass(frozen=True)
class Sequences:
    """Inputs of a recurrent layer, and the way in which it runs over them.

    Attributes:
        inputs: Tensor ``(batch, time, features)``.
        states: Initial states, each ``(batch, units)``.
        mask: Tensor ``(batch, time)``, true for steps that count; None where all count.
        go_backwards: Whether the last step runs first. Outputs are in the order in which the steps run.
        time_major: Whether inputs, mask and outputs have time before batch.
        zero_output_for_mask: Whether steps that do not count return zeros, in place of the output before them.
    """

    inputs: Any
    states: Sequence[Any]
    mask: Any = None
    go_backwards: bool = False
    time_major: bool = False
    zero_output_for_mask: bool = False

    @classmethod
    def of_layer(cls, layer: Any, inputs: Any, states: Any, mask: Any) -> Sequences:
        """Return the arguments of ``inner_loop`` of a layer of Keras 3, which accepts a single state without a list."""
        listed = states if isinstance(states, list | tuple) else [states]
        return cls(
            inputs,
            listed,
            mask,
            go_backwards=layer.go_backwards,
            zero_output_for_mask=layer.zero_output_for_mask,
        )


def operator_of(cell: Any) -> Operator | None:
    """Return the operator that computes a cell; None where ONNX lacks one.

    Only Keras's own classes are known, because a subclass may compute anything. ONNX Runtime computes the operators in float32.
    """
    make = next((make for name, make in _CELLS.items() if type(cell) in _classes(*name)), None)
    if make is None or cell.compute_dtype != "float32" or cell.variable_dtype != "float32":
        return None
    return make(cell)


def _classes(module: str, name: str) -> list[Any]:
    modules = (sys.modules.get(f"{package}.{module}") for package in _PACKAGES)
    return [getattr(module, name) for module in modules if module is not None]


def _lstm(cell: Any) -> Operator | None:
    """Keras's gates are (input, forget, cell, output), ONNX's (input, output, forget, cell)."""
    return _operator("LSTM", cell, (cell.recurrent_activation, cell.activation, cell.activation), 2, {}, (0, 3, 1, 2))


def _gru(cell: Any) -> Operator | None:
    reset_after = {"linear_before_reset": int(cell.reset_after)}
    return _operator("GRU", cell, (cell.recurrent_activation, cell.activation), 1, reset_after, (0, 1, 2))


def _simple_rnn(cell: Any) -> Operator | None:
    return _operator("RNN", cell, (cell.activation,), 1, {}, (0,))


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
    gates: tuple[int, ...],
) -> Operator | None:
    activations = [found for found in map(activation_of, functions) if found is not None]
    if len(activations) < len(functions):
        return None
    attributes = {"hidden_size": int(cell.units), **attributes_of(activations), **attributes}
    return Operator(cell, op_type, int(cell.units), states, attributes, gates)
