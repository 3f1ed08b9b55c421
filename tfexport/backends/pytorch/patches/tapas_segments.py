"""TAPAS's reductions over a table's cells, with a batch that stays dynamic.

transformers 4.57 numbers the segments of all rows of a batch consecutively, and reads shapes as Python lists for that: a
trace fixes the batch size. It also excludes the values already in the result from a reduction, and reduces by mean; ONNX
supports neither. Here a reduction runs along the second axis, from its neutral value, which needs neither.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.tapas.modeling_tapas"
_REDUCTIONS = {"sum": ("sum", 0.0), "mean": ("sum", 0.0), "amin": ("amin", torch.inf), "amax": ("amax", -torch.inf)}
"""ONNX's reduction and its neutral value, by transformers' name."""


def specs() -> list[PatchingSpec]:
    """Return the patch if TAPAS is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "_segment_reduce", _segment_reduce)]


def _segment_reduce(values: Any, index: Any, segment_reduce_fn: str, name: str) -> tuple[Any, Any]:
    """Reduce the values of each segment; the result is 0 where a segment is empty.

    Args:
        values: ``(batch, tokens)``.
        index: An ``IndexMap`` whose indices ``(batch, tokens)`` are the segment of each token.
        segment_reduce_fn: ``sum``, ``mean``, ``amin`` or ``amax``.
        name: Not used, as in transformers.

    Returns:
        The reduced values ``(batch, segments)`` with the dtype of `values`, and an ``IndexMap`` of the numbers of the
        segments ``(batch, segments)``.
    """
    reduction, neutral = _REDUCTIONS[segment_reduce_fn]
    segments = int(index.num_segments)  # a number of the configuration
    batch, ids, source = values.shape[0], index.indices.long(), values.float()
    reduced = source.new_full((batch, segments), neutral).scatter_reduce(1, ids, source, reduction)
    if segment_reduce_fn != "sum":
        counts = source.new_zeros((batch, segments)).scatter_reduce(1, ids, torch.ones_like(source), "sum")
        if segment_reduce_fn == "mean":
            reduced = reduced / counts.clamp(min=1)
        else:
            reduced = torch.where(counts > 0, reduced, torch.zeros_like(reduced))
    own = torch.arange(segments, device=ids.device).expand(batch, segments)
    index_map = sys.modules[_MODULE].IndexMap
    return reduced.to(values.dtype), index_map(indices=own, num_segments=index.num_segments, batch_dims=1)
