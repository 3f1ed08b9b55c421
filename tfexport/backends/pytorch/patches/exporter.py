"""What is replaced in torch's exporters."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch.onnx._internal.torchscript_exporter import utils as torchscript_exporter

from tfexport.declarations.patching import PatchingSpec

_INFER_SHAPES = torch._C._jit_pass_onnx_graph_shape_type_inference


def specs() -> list[PatchingSpec]:
    """The patches, for every model."""
    return [
        PatchingSpec(torchscript_exporter, "setup_onnx_logging", _no_logging),
        PatchingSpec(torch._C, "_jit_pass_onnx_graph_shape_type_inference", _infer_shapes),
    ]


def _no_logging(verbose: bool) -> Any:
    """No log of the graph.

    torch 2.13 asks whether the function ``_jit_is_onnx_log_enabled`` exists, not what it returns, and so always prints
    the whole graph to the screen when an export fails.
    """
    return nullcontext()


def _infer_shapes(graph: Any, weights: Any, opset: int) -> None:
    """Shapes from shapes alone.

    torch 2.13 computes what it can from the values of the weights, a node at a time: transposed copies that nobody reads.
    For BERT-base that was nine tenths of the time of the export, and up to 250 MiB. The shapes come out the same.
    """
    _INFER_SHAPES(graph, {}, opset)
