"""Faults of torch's TorchScript exporter: a log that cannot be switched off, and shapes computed from weights."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch.onnx._internal.torchscript_exporter import utils as torchscript_exporter

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("torch", ">=2.13,<2.14")

_INFER_SHAPES = torch._C._jit_pass_onnx_graph_shape_type_inference


def specs() -> list[PatchingSpec]:
    """Return the patches, for every model."""
    return [
        PatchingSpec(torchscript_exporter, "setup_onnx_logging", _no_logging),
        PatchingSpec(torch._C, "_jit_pass_onnx_graph_shape_type_inference", _infer_shapes),
    ]


def _no_logging(verbose: bool) -> Any:
    """Suppress the log of the graph.

    torch 2.13 tests whether the function ``_jit_is_onnx_log_enabled`` exists, not its result. It therefore always prints
    the whole graph to the screen when an export fails.
    """
    return nullcontext()


def _infer_shapes(graph: Any, weights: Any, opset: int) -> None:
    """Infer shapes from shapes only, without the values of the weights.

    torch 2.13 computes every node that depends only on weights: transposed copies that nothing reads. For BERT-base that
    took nine tenths of the time of the export, and up to 250 MiB. The inferred shapes are the same.
    """
    _INFER_SHAPES(graph, {}, opset)
