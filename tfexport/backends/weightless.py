"""A graph, and its weights beside it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

WeightSource = Mapping[str, ir.TensorProtocol]
"""Weights by name. A tensor knows its shape and dtype without its values, and returns a view of the values when it is
written (`ir.LazyTensor`). Live variables and parameters are the sources today; a checkpoint's own files fit behind the same
interface."""

FIRST_COUNT = 10**9
"""First number in the names of a converter that counts them for the whole process, after two underscores: ``Cast__1000000007``.
The canonical form of a model tells these numbers from those in the model's own names by their size, and replaces them."""

SOURCE = "tfexport.source"
"""Key of a tensor's metadata for the source of its values. Two tensors of one source are one weight."""


def source_of(tensor: ir.TensorProtocol) -> Hashable:
    """Return the identity of a weight in this process: the source of its values, else the tensor itself."""
    found: Hashable = tensor.meta.get(SOURCE, id(tensor))
    return found


@dataclass(frozen=True)
class WeightlessGraph:
    """The result of a backend: a small graph whose weights are still graph inputs.

    Attributes:
        proto: The graph. Its inputs are the model's inputs, and one input per weight.
        weights: Weights by the name of the graph input that each will replace.
        route: Name of the route that converted it, for the manifest.
        passes: Names of the passes that were applied to it since.
        notes: Sentences on decisions of the backend that may be the cause if the graph does not compute what the model does.
    """

    proto: onnx.ModelProto
    weights: WeightSource
    route: str
    passes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def detach_weights(model: ir.Model, route: str, size_threshold: int = 1024) -> WeightlessGraph:
    """Turn initializers of at least `size_threshold` bytes into graph inputs, and return them beside the graph.

    The model is changed in place. Small initializers (shapes, scalars) stay, because passes need their values.
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
