"""Weights back into a graph: graph inputs become initializers whose values are read when they are written."""

from __future__ import annotations

import onnx_ir as ir

from tfexport.graph.weightless import WeightlessGraph


def attach_weights(graph: WeightlessGraph) -> ir.Model:
    """An IR model whose weights are lazy initializers; weights that no node reads are left out."""
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


def detach_weights(model: ir.Model, route: str, size_threshold: int = 1024) -> WeightlessGraph:
    """The reverse: initializers of at least `size_threshold` bytes become graph inputs.

    The model is changed in place. Small initializers (shapes, scalars) stay, for passes that need their values.
    """
    weights: dict[str, ir.TensorProtocol] = {}
    for name, value in list(model.graph.initializers.items()):
        tensor = value.const_value
        if tensor is not None and tensor.nbytes >= size_threshold:
            weights[name] = tensor
            del model.graph.initializers[name]
            value.const_value = None
            value.shape = ir.Shape(tensor.shape.numpy())
            value.type = ir.TensorType(tensor.dtype)
            model.graph.inputs.append(value)
    return WeightlessGraph(ir.to_proto(model), weights, route)
