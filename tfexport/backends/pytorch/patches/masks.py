"""transformers' attention masks, made by broadcasting."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.masking_utils"


def specs() -> list[PatchingSpec]:
    """Return the patches if a model that makes masks is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [
        PatchingSpec(module, "_vmap_for_bhqkv", _broadcast_for_bhqkv),
        PatchingSpec(module, "TransformGetItemToIndex", nullcontext),  # only vmap needs it
    ]


def _broadcast_for_bhqkv(mask_function: Callable[..., Any], bh_indices: bool = True) -> Callable[..., Any]:
    """Evaluate a mask function for all indices at once, by broadcasting.

    transformers 4.57 maps it over each index with `torch.vmap`, whose tensors TorchScript cannot trace
    (``unordered_map::at``). Mask functions work element by element, so broadcasting makes the same mask.
    """

    def mask(batch: Any, head: Any, query: Any, key: Any) -> Any:
        if not bh_indices:
            return torch.broadcast_to(mask_function(batch, head, query[:, None], key), (query.shape[0], key.shape[0]))
        found = mask_function(batch[:, None, None, None], head[:, None, None], query[:, None], key)
        return torch.broadcast_to(found, (batch.shape[0], head.shape[0], query.shape[0], key.shape[0]))

    return mask
