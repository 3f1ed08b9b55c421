"""Fold transposes of weights into the weights."""

from __future__ import annotations

import onnx_ir as ir

from tfexport.graph.passes.base import GraphPass, is_op, permutation_of, rearranged, remove


class FoldWeightTransposes(GraphPass):
    """Replace Transpose(weight) by the transposed weight, whose values are transposed while they are written.

    Rules:
        1. The input is an initializer, and all its readers are Transposes of one permutation, in branches too: a weight that
           is also read untransposed (a tied embedding) would be stored twice.
        2. Neither the weight nor a transposed value is an output of a graph.
    """

    def rewrite(self, model: ir.Model) -> int:
        matches = 0
        for weight in list(model.graph.initializers.values()):
            while (permutation := _permutation_of_all(weight)) is not None:
                _fold(weight, permutation)
                matches += 1
        return matches


def _permutation_of_all(weight: ir.Value) -> tuple[int, ...] | None:
    """Return the permutation of the Transposes that read a weight; None where the rules forbid folding it."""
    readers = [use.node for use in weight.uses()]
    if weight.const_value is None or weight.is_graph_output() or not readers:  # rule 2
        return None
    if not all(is_op(node, "Transpose") for node in readers):  # rule 1
        return None
    if any(node.outputs[0].is_graph_output() for node in readers):  # rule 2
        return None
    reversed_axes = tuple(reversed(range(len(weight.const_value.shape))))
    permutations = {permutation_of(node) or reversed_axes for node in readers}
    return permutations.pop() if len(permutations) == 1 else None  # rule 1


def _fold(weight: ir.Value, permutation: tuple[int, ...]) -> None:
    assert weight.const_value is not None
    folded = transposed(weight.const_value, permutation)
    for node in [use.node for use in weight.uses()]:
        node.outputs[0].replace_all_uses_with(weight)
        remove(node)
    weight.const_value = folded
    weight.shape = ir.Shape(folded.shape)


def transposed(tensor: ir.TensorProtocol, permutation: tuple[int, ...]) -> ir.LazyTensor:
    """Return a tensor whose axes are permuted when its values are read."""
    return rearranged(tensor, [(permutation, lambda array: array.transpose(permutation))])
