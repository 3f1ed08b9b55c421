"""Funnel Transformer's relative positions for rows of any length.

transformers 4.57 counts pooled positions with ``len(tensor)``, which TorchScript traces as a constant.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.funnel.modeling_funnel"


def specs() -> list[PatchingSpec]:
    """Return the patch if Funnel is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.FunnelAttentionStructure, "relative_pos", _distances)]


def _distances(self: Any, pos: Any, stride: int, pooled_pos: Any = None, shift: int = 1) -> Any:
    """Return the distances between pooled and unpooled positions, int64 ``(distances,)``, largest first.

    Args:
        self: A ``FunnelAttentionStructure``.
        pos: Positions of the keys.
        stride: Step between two distances.
        pooled_pos: Positions of the queries; None if they are those of the keys.
        shift: One more than the number of distances that a query has beyond the number of keys.
    """
    queries = pos if pooled_pos is None else pooled_pos
    largest = queries[0] - pos[0] + shift * queries.shape[0] * stride
    smallest = queries[0] - pos[-1]
    return torch.arange(largest, smallest - 1, -stride, dtype=torch.long, device=pos.device)
