"""Small ONNX models as text, and what ONNX Runtime makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime

from tfexport.backends.weightless import WeightlessGraph


def proto(body: str, opset: int = 18) -> onnx.ModelProto:
    """A model from the text of its graph."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{body}')


def model(body: str, opset: int = 18) -> ir.Model:
    """The same as an IR model."""
    return ir.from_proto(proto(body, opset))


def with_weights(body: str, weights: Mapping[str, np.ndarray], opset: int = 18) -> ir.Model:
    """An IR model whose graph inputs of these names are initializers."""
    made = model(body, opset)
    for value in list(made.graph.inputs):
        array = weights.get(str(value.name))
        if array is not None:
            made.graph.inputs.remove(value)
            value.const_value = ir.Tensor(array, name=value.name)
            made.graph.initializers.add(value)
    return made


def weightless(body: str, weights: Mapping[str, np.ndarray], opset: int = 18) -> WeightlessGraph:
    """A graph apart from its weights."""
    tensors = {name: ir.Tensor(array, name=name) for name, array in weights.items()}
    return WeightlessGraph(proto(body, opset), tensors, "by hand")


def run(found: ir.Model | onnx.ModelProto | Path, feeds: Mapping[str, np.ndarray]) -> list[Any]:
    """The outputs that ONNX Runtime gives, in order, without any optimisation of its own."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if isinstance(found, ir.Model):
        found = ir.to_proto(found)
    if isinstance(found, onnx.ModelProto):
        onnx.checker.check_model(found, full_check=True)
    source = str(found) if isinstance(found, Path) else found.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, dict(feeds))
    return outputs
