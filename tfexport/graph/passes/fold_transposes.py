"""Fold transposes of weights into the weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx_ir as ir

from tfexport.backends.weightless import SOURCE, source_of


class FoldWeightTransposes(ir.passes.InPlacePass):
    """Replace Transpose(weight) by the transposed weight, whose values are transposed while they are written.

    Rules:
        1. The input is an initializer, and all that reads it are Transposes of one permutation, in branches too: a
           weight that is read as it is elsewhere (a tied embedding) would be stored twice.
        2. Neither the weight nor a transposed value is an output of a graph.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        modified = False
        for weight in list(model.graph.initializers.values()):
            while (permutation := _permutation_of_all(weight)) is not None:
                _fold(weight, permutation)
                modified = True
        return ir.passes.PassResult(model, modified)


def _permutation_of_all(weight: ir.Value) -> tuple[int, ...] | None:
    """The permutation of the Transposes that read a weight; None where the rules forbid folding it."""
    readers = [use.node for use in weight.uses()]
    if weight.const_value is None or weight.is_graph_output() or not readers:  # rule 2
        return None
    if any(node.op_type != "Transpose" or node.domain not in ("", "ai.onnx") for node in readers):  # rule 1
        return None
    if any(node.outputs[0].is_graph_output() for node in readers):  # rule 2
        return None
    permutations = {_permutation(node, len(weight.const_value.shape)) for node in readers}
    return permutations.pop() if len(permutations) == 1 else None  # rule 1


def _permutation(node: ir.Node, rank: int) -> tuple[int, ...]:
    attribute = node.attributes.get("perm")
    return tuple(attribute.as_ints()) if attribute is not None else tuple(reversed(range(rank)))


def _fold(weight: ir.Value, permutation: tuple[int, ...]) -> None:
    assert weight.const_value is not None
    folded = transposed(weight.const_value, permutation)
    for node in [use.node for use in weight.uses()]:
        node.outputs[0].replace_all_uses_with(weight)
        assert node.graph is not None
        node.graph.remove(node, safe=True)
    weight.const_value = folded
    weight.shape = ir.Shape(folded.shape)


def transposed(tensor: ir.TensorProtocol, permutation: tuple[int, ...]) -> ir.LazyTensor:
    """A tensor whose axes are permuted when its values are read; one contiguous copy lives while it is written."""
    lengths = tensor.shape.numpy()
    shape = ir.Shape([lengths[axis] for axis in permutation])
    made = ir.LazyTensor(
        partial(_transpose, tensor, permutation), dtype=tensor.dtype, shape=shape, name=tensor.name, cache=False
    )
    made.meta[SOURCE] = (source_of(tensor), permutation)
    return made


def _transpose(tensor: ir.TensorProtocol, permutation: tuple[int, ...]) -> ir.TensorProtocol:
    return ir.Tensor(np.ascontiguousarray(tensor.numpy().transpose(permutation)), dtype=tensor.dtype)
