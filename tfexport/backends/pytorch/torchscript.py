"""Conversion by the TorchScript exporter of torch.onnx, with weights as graph inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace

import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from tfexport.backends.opsets import check_opset
from tfexport.backends.pytorch.failures import torch_errors
from tfexport.backends.pytorch.notes import noted
from tfexport.backends.pytorch.patches import patched_torch
from tfexport.backends.pytorch.tracing import DeclaredModel, TraceArguments
from tfexport.backends.pytorch.weights import large_buffers_in_state_dict, weight_names, weights_of
from tfexport.backends.weightless import WeightlessGraph, detach_weights

ROUTE = "torchscript"
LOWEST_OPSET = 11
HIGHEST_OPSET = 20
"""Highest opset of torch 2.13. Below 11 it cannot slice, pad or split by lengths that are known only at run time."""

LARGE_CONSTANT_ELEMENTS = 1024
"""Smallest size at which a tensor that a model makes while it runs, independent of its inputs, is a weight."""


def convert(arguments: TraceArguments, opset: int) -> WeightlessGraph:
    """Convert a model. If the opset is above 20, the graph is written at 20.

    Raises:
        OpsetError: The opset is below 11.
        TracingError: The model cannot be traced.
        UnsupportedOpError: The exporter has no mapping for an op.
        ConversionError: The exporter failed.
    """
    check_opset("torch's TorchScript exporter", LOWEST_OPSET, opset)
    config = arguments.config
    file = io.BytesIO()
    with large_buffers_in_state_dict(arguments.model):
        with noted() as notes, patched_torch(), torch_errors("TorchScript exporter", arguments.model):
            torch.onnx.export(
                arguments.module,
                arguments.tensors,
                file,
                dynamo=False,
                opset_version=min(opset, HIGHEST_OPSET),
                input_names=list(config.inputs),
                output_names=list(config.outputs),
                dynamic_axes={name: dict(axes) for name, axes in (*config.inputs.items(), *config.outputs.items())},
                export_params=False,  # weights are graph inputs, and the file holds none of their values
                keep_initializers_as_inputs=True,  # else weights that are equal now would be merged
                do_constant_folding=False,  # it would fold transposed copies of the weights
            )
        names, weights = weight_names(arguments.model), weights_of(arguments.model)
    return replace(_weightless(file.getvalue(), names, weights), notes=tuple(notes))


def _weightless(
    serialised: bytes, names: Mapping[str, str], available: Mapping[str, ir.TensorProtocol]
) -> WeightlessGraph:
    model = ir.from_proto(onnx.load_model_from_string(serialised))
    weights: dict[str, ir.TensorProtocol] = {}
    for value in model.graph.inputs:
        name = names.get(str(value.name).removeprefix(DeclaredModel.PREFIX))
        if name is not None and name not in weights:
            value.name = name
            weights[name] = available[name]
    LiftConstantsToInitializersPass(size_limit=LARGE_CONSTANT_ELEMENTS)(model)
    constants = detach_weights(model, ROUTE)
    return replace(constants, weights={**weights, **constants.weights})
