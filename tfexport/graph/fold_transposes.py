"""Fold transposes of weights into the weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx_ir as ir


class FoldWeightTransposes(ir.passes.InPlacePass):
    """Replace Transpose(weight) by the transposed weight, whose values are transposed while they are written.

    Rules:
        1. The input is an initializer, and this Transpose is its only reader: a weight that is read elsewhere too
           (a tied embedding) would be stored twice.
        2. Neither the weight nor the transposed value is an output of the graph.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        modified = False
        for node in list(model.graph):
            if node.op_type != "Transpose" or node.domain not in ("", "ai.onnx"):
                continue
            weight, output = node.inputs[0], node.outputs[0]
            if weight is None or weight.const_value is None or not weight.is_initializer():
                continue
            if len(weight.uses()) != 1 or weight.is_graph_output() or output.is_graph_output():  # rules 1 and 2
                continue
            tensor = weight.const_value
            rank = len(tensor.shape)
            attribute = node.attributes.get("perm")
            permutation = tuple(attribute.as_ints()) if attribute is not None else tuple(reversed(range(rank)))
            name = str(weight.name)
            folded = transposed(tensor, permutation)
            output.replace_all_uses_with(weight)
            model.graph.remove(node, safe=True)
            weight.const_value = folded
            weight.shape = ir.Shape(folded.shape)
            weight.name = name
            modified = True
        return ir.passes.PassResult(model, modified)


def transposed(tensor: ir.TensorProtocol, permutation: tuple[int, ...]) -> ir.LazyTensor:
    """A tensor whose axes are permuted when its values are read; one contiguous copy lives while it is written."""
    lengths = tensor.shape.numpy()
    shape = ir.Shape([lengths[axis] for axis in permutation])
    return ir.LazyTensor(
        partial(_transpose, tensor, permutation), dtype=tensor.dtype, shape=shape, name=tensor.name, cache=False
    )


def _transpose(tensor: ir.TensorProtocol, permutation: tuple[int, ...]) -> ir.TensorProtocol:
    return ir.Tensor(np.ascontiguousarray(tensor.numpy().transpose(permutation)), dtype=tensor.dtype)
