"""Fold the nodes that bring a recurrent operator's weights into ONNX's order into the weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from tfexport.backends.weightless import SOURCE
from tfexport.graph.passes.base import GraphPass, Step, is_op, permutation_of, rearranged, remove

_WEIGHTS = slice(1, 4)  # W, R and B


class FoldRecurrentWeights(GraphPass):
    """Replace a chain of nodes from a weight to W, R or B of an LSTM, GRU or RNN by the weight in that order.

    Rules:
        1. Each node of the chain moves numbers, or adds constants, and its other inputs are constants of the graph.
        2. No other node reads the weight, or a value between it and the operator.
        3. Neither the weight nor any value of the chain is an output of a graph.

    The values are rearranged while they are written.
    """

    def rewrite(self, model: ir.Model) -> int:
        operators = [node for node in model.graph.all_nodes() if is_op(node, "LSTM", "GRU", "RNN")]
        return sum(_folded(value) for node in operators for value in node.inputs[_WEIGHTS] if value is not None)


def _folded(end: ir.Value) -> bool:
    """Fold the chain that ends in a value, if there is one."""
    chain: list[ir.Node] = []
    steps: list[Step] = []
    value = end
    while (node := value.producer()) is not None:
        moved = [source for source in node.inputs if source is not None and not _is_constant(source)]
        step = _step(node) if len(moved) == 1 and not value.is_graph_output() else None  # rules 1 and 3
        if step is None:
            return False
        chain.append(node)
        steps.append(step)
        value = moved[0]
        if len(value.uses()) > 1:  # rule 2
            return False
    if not chain or value.const_value is None or value.is_graph_output():  # rule 3
        return False
    value.const_value = rearranged(value.const_value, tuple(reversed(steps)))
    value.shape = ir.Shape(value.const_value.shape)
    end.replace_all_uses_with(value)
    for node in chain:
        _remove_with_constants(node)
    return True


def _remove_with_constants(node: ir.Node) -> None:
    """Remove a node that no other node reads, and the constants that only this node read."""
    constants = [value for value in node.inputs if value is not None and _is_constant(value)]
    remove(node)
    for value in constants:
        if value.uses() or value.is_graph_output():
            continue
        maker = value.producer()
        if maker is not None and maker.graph is not None:
            remove(maker)
        elif value.graph is not None:
            value.graph.initializers.pop(str(value.name), None)


def _constant(value: ir.Value) -> ir.TensorProtocol | None:
    """Return the tensor of a constant; None for any other value, and for a weight, which is read when it is written."""
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None or isinstance(tensor, ir.LazyTensor) or SOURCE in tensor.meta else tensor


def _is_constant(value: ir.Value) -> bool:
    return _constant(value) is not None


def _step(node: ir.Node) -> Step | None:
    make = _STEPS.get(node.op_type) if is_op(node, *_STEPS) else None
    return None if make is None else make(node)


def _transpose(node: ir.Node) -> Step:
    permutation = permutation_of(node)
    return ("Transpose", permutation), lambda array: array.transpose(permutation)


def _unsqueeze(node: ir.Node) -> Step | None:
    axes = tuple(node.attributes["axes"].as_ints()) if "axes" in node.attributes else _numbers(node)
    return None if axes is None else (("Unsqueeze", axes), lambda array: np.expand_dims(array, axes))


def _reshape(node: ir.Node) -> Step | None:
    shape = _numbers(node)
    if shape is None or 0 in shape:  # ONNX's zero keeps a length, NumPy's empties the array
        return None
    return ("Reshape", shape), lambda array: array.reshape(shape)


def _gather(node: ir.Node) -> Step | None:
    indices = _numbers(node)
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    if indices is None:
        return None
    return ("Gather", axis, indices), lambda array: array.take(np.array(indices), axis=axis)


def _concat(node: ir.Node) -> Step | None:
    axis = node.attributes["axis"].as_int()
    constants = [None if value is None else _constant(value) for value in node.inputs]
    parts = [None if tensor is None else tensor.numpy() for tensor in constants]
    key = tuple(None if part is None else (part.shape, part.tobytes()) for part in parts)

    def concatenated(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array if part is None else part.astype(array.dtype) for part in parts], axis=axis)

    return ("Concat", axis, key), concatenated


def _pad(node: ir.Node) -> Step | None:
    pads = _numbers(node)
    if pads is None or len(node.inputs) > 2 or min(pads) < 0 or "mode" in node.attributes:
        return None
    sides = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    return ("Pad", pads), lambda array: np.pad(array, sides)


def _numbers(node: ir.Node) -> tuple[int, ...] | None:
    """Return the second input of a node where it is a constant list of whole numbers; None otherwise."""
    value = node.inputs[1] if len(node.inputs) > 1 else None
    tensor = None if value is None else _constant(value)
    if tensor is None:
        return None
    array = tensor.numpy()
    return tuple(int(number) for number in array) if array.ndim == 1 else None


_STEPS: dict[str, Callable[[ir.Node], Step | None]] = {
    "Concat": _concat,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
