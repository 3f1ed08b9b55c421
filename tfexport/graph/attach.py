"""Attach weights to a graph: graph inputs become initializers, whose values are read when they are written."""

from __future__ import annotations

import onnx_ir as ir

from tfexport.backends.weightless import WeightlessGraph


def attach_weights(graph: WeightlessGraph) -> ir.Model:
    """Return an IR model whose weights are lazy initializers; weights that no node reads are left out."""
    model = ir.from_proto(graph.proto)
    kept = [value for value in model.graph.inputs if value.name not in graph.weights]
    weights = [value for value in model.graph.inputs if value.name in graph.weights]
    model.graph.inputs.clear()
    model.graph.inputs.extend(kept)
    for value in weights:
        if value.uses() or value.is_graph_output():
            tensor = graph.weights[str(value.name)]
            value.const_value = tensor
            value.shape = ir.Shape(tensor.shape.numpy())
            value.dtype = tensor.dtype
            model.graph.initializers.add(value)
    return model
