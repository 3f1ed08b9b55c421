"""What is replaced in torch and transformers while a model is traced, each with its cause."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch.onnx._internal.torchscript_exporter import utils as torchscript_exporter

from tfexport.backends.pytorch import longformer
from tfexport.patching import PatchingSpec

_MASKING = "transformers.masking_utils"
_LONGFORMER = "transformers.models.longformer.modeling_longformer"
_INFER_SHAPES = torch._C._jit_pass_onnx_graph_shape_type_inference


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


def _broadcast_for_bhqkv(mask_function: Callable[..., Any], bh_indices: bool = True) -> Callable[..., Any]:
    """A mask function over all its indices at once, by broadcasting.

    transformers 4.57 maps it over each index with `torch.vmap`, whose tensors TorchScript cannot trace
    (``unordered_map::at``). Mask functions work element by element, so that broadcasting gives the same mask.
    """

    def mask(batch: Any, head: Any, query: Any, key: Any) -> Any:
        if not bh_indices:
            return torch.broadcast_to(mask_function(batch, head, query[:, None], key), (query.shape[0], key.shape[0]))
        found = mask_function(batch[:, None, None, None], head[:, None, None], query[:, None], key)
        return torch.broadcast_to(found, (batch.shape[0], head.shape[0], query.shape[0], key.shape[0]))

    return mask


def _specs() -> list[PatchingSpec]:
    specs = [
        PatchingSpec(torchscript_exporter, "setup_onnx_logging", _no_logging),
        PatchingSpec(torch._C, "_jit_pass_onnx_graph_shape_type_inference", _infer_shapes),
    ]
    # A model's module is loaded if the model is: nothing is imported for the sake of a patch.
    if _MASKING in sys.modules:
        masking = sys.modules[_MASKING]
        specs.append(PatchingSpec(masking, "_vmap_for_bhqkv", _broadcast_for_bhqkv))
        specs.append(PatchingSpec(masking, "TransformGetItemToIndex", nullcontext))  # serves vmap only
    if _LONGFORMER in sys.modules:
        specs += longformer.specs(sys.modules[_LONGFORMER])
    return specs


@contextmanager
def patched_torch() -> Iterator[None]:
    """Patch for the duration of a block; undone however the block ends."""
    with ExitStack() as stack:
        # torch 2.13's TorchScript exporter leaves this off when a trace fails.
        stack.callback(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled())
        for spec in _specs():
            stack.callback(spec.apply())
        yield
