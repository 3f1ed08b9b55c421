"""Conversion by the exporter of torch.onnx that is based on torch.export (``dynamo=True``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx_ir as ir
import onnxscript.optimizer
import torch
from torch.fx.experimental import _config as fx_config

from tfexport.backends.opsets import check_opset
from tfexport.backends.pytorch.failures import torch_errors
from tfexport.backends.pytorch.notes import noted
from tfexport.backends.pytorch.patches import patched_torch
from tfexport.backends.pytorch.tracing import DeclaredModel, TraceArguments
from tfexport.backends.pytorch.weights import large_buffers_in_state_dict, weight_names, weights_of
from tfexport.backends.weightless import WeightlessGraph, detach_weights
from tfexport.errors import ConversionError

ROUTE = "dynamo"
LOWEST_OPSET = 18
HIGHEST_OPSET = 23
"""Highest opset of torch 2.13. The lowest is 18, because its functions are written at 18."""


def convert(arguments: TraceArguments, opset: int) -> WeightlessGraph:
    """Convert a model. If the opset is above 23, the graph is written at 23.

    Raises:
        OpsetError: The opset is below 18.
        TracingError: The model cannot be traced.
        UnsupportedOpError: The exporter has no mapping for an op.
        ConversionError: The exporter failed.
    """
    check_opset("torch's dynamo exporter", LOWEST_OPSET, opset)
    config = arguments.config
    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in config.inputs.values())
    with large_buffers_in_state_dict(arguments.model):
        with noted() as notes, patched_torch(), torch_errors("dynamo exporter", arguments.model):
            # Captured here, because torch.onnx falls back to its strict mode, where a forward that raises is an empty graph.
            with fx_config.patch(backed_size_oblivious=True):  # as torch.onnx does: a length of 1 is not a special case
                captured = torch.export.export(
                    arguments.module,
                    arguments.tensors,
                    dynamic_shapes=(shapes,),  # one entry for all of *tensors
                    strict=False,
                )
            program = torch.onnx.export(
                captured,
                dynamo=True,
                opset_version=min(opset, HIGHEST_OPSET),
                input_names=list(config.inputs),
                output_names=list(config.outputs),
                verbose=False,
                optimize=False,  # it would fold copies of the weights; the optimiser runs below, without weights
            )
        assert program is not None
        return replace(_weightless(program.model, arguments.model), notes=tuple(notes))


def _place(tensor: Any) -> tuple[Any, ...]:
    """Return the address of a tensor, and how it is read."""
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _weightless(exported: ir.Model, model: Any) -> WeightlessGraph:
    """Make weights graph inputs, then optimise the graph, so that no copy of a weight is folded into it."""
    names, available = weight_names(model), weights_of(model)
    places = {_place(tensor): names[name] for name, tensor in model.state_dict(keep_vars=True).items()}
    weights: dict[str, ir.TensorProtocol] = {}
    inputs: dict[str, ir.Value] = {}
    for exported_name, value in list(exported.graph.initializers.items()):
        own_name = exported_name.removeprefix(DeclaredModel.PREFIX)
        # Keras's layers hold their parameters themselves. torch.export makes constants of these, in the same memory.
        raw = getattr(value.const_value, "raw", None)
        name = names.get(own_name) or (places.get(_place(raw)) if isinstance(raw, torch.Tensor) else None)
        if name is None:  # a small buffer, or a constant
            value.name = own_name
            continue
        del exported.graph.initializers[exported_name]
        if name in inputs:
            value.replace_all_uses_with(inputs[name])
            continue
        value.const_value = None
        value.name = name
        inputs[name], weights[name] = value, available[name]
    exported.graph.inputs.extend(inputs.values())
    try:
        onnxscript.optimizer.optimize(exported)
    except ir.passes.PassError as error:
        raise ConversionError(f"onnxscript cannot optimise the graph of torch's dynamo exporter: {error}") from error
    constants = detach_weights(exported, ROUTE)
    return replace(constants, weights={**weights, **constants.weights})
