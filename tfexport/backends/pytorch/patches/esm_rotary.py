"""ESM's rotary positions without a cache.

transformers 4.57 keeps the tables of the last sequence length. A traced model has run at that length before, so the
tables would be constants of the file. Tracing would also leave its own tensors in the model.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.esm.modeling_esm"


def specs() -> list[PatchingSpec]:
    """Return the patch if ESM is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.RotaryEmbedding, "forward", _rotate_both)]


def _rotate_both(self: Any, q: Any, k: Any) -> tuple[Any, Any]:
    """Rotate queries and keys by their positions.

    Args:
        self: A ``RotaryEmbedding``.
        q: Queries ``(batch, heads, sequence, head size)``.
        k: Keys of the same shape.
    """
    positions = torch.arange(k.shape[-2], device=k.device).type_as(self.inv_freq)
    angles = positions[:, None] * self.inv_freq
    angles = torch.cat((angles, angles), dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return _rotated(q, cos, sin), _rotated(k, cos, sin)


def _rotated(states: Any, cos: Any, sin: Any) -> Any:
    first, second = states.chunk(2, dim=-1)
    return (states * cos + torch.cat((-second, first), dim=-1) * sin).to(states.dtype)
