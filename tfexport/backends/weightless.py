"""A graph and, apart from it, its weights."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

WeightSource = Mapping[str, ir.TensorProtocol]
"""Where weights come from: name -> tensor. A tensor knows its shape and dtype without touching its values, and gives
these as a view when it is written (`ir.LazyTensor`). Live variables and parameters today; a checkpoint's own files fit
behind the same interface."""

SOURCE = "tfexport.source"
"""Key of a tensor's metadata: what its values are read from. Two tensors of one source are one weight."""


def source_of(tensor: ir.TensorProtocol) -> Hashable:
    """What tells a weight from all others of the process: where its values come from, else the tensor itself."""
    found: Hashable = tensor.meta.get(SOURCE, id(tensor))
    return found


@dataclass(frozen=True)
class WeightlessGraph:
    """What a backend makes: a small graph whose weights are still graph inputs.

    Attributes:
        proto: the graph. Its inputs are the model's inputs and one input a weight.
        weights: the weights, by the name of the graph input that each will replace.
        route: how it was converted, for the manifest.
        passes: what was applied to it since.
        notes: what the backend did that may be the cause, if it turns out not to compute what the model does.
    """

    proto: onnx.ModelProto
    weights: WeightSource
    route: str
    passes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
