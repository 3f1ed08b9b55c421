"""Fold what brings a recurrent operator's weights into ONNX's order into the weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import numpy as np
import onnx_ir as ir

from tfexport.backends.weightless import SOURCE, source_of

_OPERATORS = frozenset({"LSTM", "GRU", "RNN"})
_WEIGHTS = slice(1, 4)  # W, R and B
_Step = Callable[[np.ndarray], np.ndarray]


class FoldRecurrentWeights(ir.passes.InPlacePass):
    """Replace a chain of nodes from a weight to W, R or B of an LSTM, GRU or RNN by the weight so laid out.

    Rules:
        1. Each node of the chain moves numbers, or adds constants, and its other inputs are constants of the graph.
        2. Nothing else reads the weight, or what lies between it and the operator.
        3. Neither the weight nor any value of the chain is an output of a graph.

    Values are laid out while they are written.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        modified = False
        for node in list(model.graph.all_nodes()):
            if node.op_type in _OPERATORS and node.domain in ("", "ai.onnx"):
                for value in node.inputs[_WEIGHTS]:
                    modified |= value is not None and _folded(value)
        return ir.passes.PassResult(model, modified)


def _folded(end: ir.Value) -> bool:
    """Fold the chain that ends in a value, if there is one."""
    chain: list[ir.Node] = []
    steps: list[tuple[Hashable, _Step]] = []
    value = end
    while (node := value.producer()) is not None:
        moved = [given for given in node.inputs if given is not None and not _is_constant(given)]
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
    value.const_value = laid_out(value.const_value, tuple(reversed(steps)))
    value.shape = ir.Shape(value.const_value.shape)
    end.replace_all_uses_with(value)
    for node in chain:
        _removed(node)
    return True


def _removed(node: ir.Node) -> None:
    """Remove a node that nothing reads, and the constants that it alone read."""
    constants = [value for value in node.inputs if value is not None and _is_constant(value)]
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    for value in constants:
        if value.uses() or value.is_graph_output():
            continue
        maker = value.producer()
        if maker is not None and maker.graph is not None:
            maker.graph.remove(maker, safe=True)
        elif value.graph is not None:
            value.graph.initializers.pop(str(value.name), None)


def laid_out(tensor: ir.TensorProtocol, steps: Sequence[tuple[Hashable, _Step]]) -> ir.LazyTensor:
    """A tensor to which steps, each with what tells it from others, are applied when its values are read."""
    functions = [step for _, step in steps]
    shape = _applied(functions, np.zeros(tensor.shape.numpy(), np.bool_)).shape
    made = ir.LazyTensor(
        partial(_laid_out, tensor, functions), dtype=tensor.dtype, shape=ir.Shape(shape), name=tensor.name, cache=False
    )
    made.meta[SOURCE] = (source_of(tensor), *(key for key, _ in steps))
    return made


def _laid_out(tensor: ir.TensorProtocol, functions: Sequence[_Step]) -> ir.TensorProtocol:
    return ir.Tensor(np.ascontiguousarray(_applied(functions, tensor.numpy())), dtype=tensor.dtype)


def _applied(functions: Sequence[_Step], array: np.ndarray) -> np.ndarray:
    for function in functions:
        array = function(array)
    return array


def _constant(value: ir.Value) -> ir.TensorProtocol | None:
    """The values of a constant of the graph; None for what is none, and for a weight, which is read when it is written."""
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None or isinstance(tensor, ir.LazyTensor) or SOURCE in tensor.meta else tensor


def _is_constant(value: ir.Value) -> bool:
    return _constant(value) is not None


def _step(node: ir.Node) -> tuple[Hashable, _Step] | None:
    make = _STEPS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    return None if make is None else make(node)


def _transpose(node: ir.Node) -> tuple[Hashable, _Step] | None:
    attribute = node.attributes.get("perm")
    permutation = None if attribute is None else tuple(attribute.as_ints())
    return ("Transpose", permutation), lambda array: array.transpose(permutation)


def _unsqueeze(node: ir.Node) -> tuple[Hashable, _Step] | None:
    axes = tuple(node.attributes["axes"].as_ints()) if "axes" in node.attributes else _numbers(node)
    return None if axes is None else (("Unsqueeze", axes), lambda array: np.expand_dims(array, axes))


def _reshape(node: ir.Node) -> tuple[Hashable, _Step] | None:
    shape = _numbers(node)
    if shape is None or 0 in shape:  # ONNX's zero keeps a length, NumPy's empties the array
        return None
    return ("Reshape", shape), lambda array: array.reshape(shape)


def _gather(node: ir.Node) -> tuple[Hashable, _Step] | None:
    indices = _numbers(node)
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    if indices is None:
        return None
    return ("Gather", axis, indices), lambda array: array.take(np.array(indices), axis=axis)


def _concat(node: ir.Node) -> tuple[Hashable, _Step] | None:
    axis = node.attributes["axis"].as_int()
    given = [None if value is None else _constant(value) for value in node.inputs]
    parts = [None if tensor is None else tensor.numpy() for tensor in given]
    key = tuple(None if part is None else (part.shape, part.tobytes()) for part in parts)

    def concatenated(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array if part is None else part.astype(array.dtype) for part in parts], axis=axis)

    return ("Concat", axis, key), concatenated


def _pad(node: ir.Node) -> tuple[Hashable, _Step] | None:
    pads = _numbers(node)
    if pads is None or len(node.inputs) > 2 or min(pads) < 0 or "mode" in node.attributes:
        return None
    sides = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True))
    return ("Pad", pads), lambda array: np.pad(array, sides)


def _numbers(node: ir.Node) -> tuple[int, ...] | None:
    """The second input of a node, where it is a constant list of whole numbers."""
    value = node.inputs[1] if len(node.inputs) > 1 else None
    tensor = None if value is None else _constant(value)
    if tensor is None:
        return None
    array = tensor.numpy()
    return tuple(int(number) for number in array) if array.ndim == 1 else None


_STEPS: dict[str, Callable[[ir.Node], tuple[Hashable, _Step] | None]] = {
    "Concat": _concat,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
