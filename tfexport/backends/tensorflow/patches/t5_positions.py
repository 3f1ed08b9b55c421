"""T5's relative positions with a key-value cache that holds no unused places.

transformers 4.57's TensorFlow T5 supports a cache with unused places, which XLA requires. It searches for the last key whose
first number is not zero, and slices the biases after it with an XLA op. The cache of an exported file has no unused places,
so the biases of the new tokens are the last ones, whatever numbers the keys have.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.t5.modeling_tf_t5"


def specs() -> list[PatchingSpec]:
    """Return the patch if T5 is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "dynamic_slice", _last_positions)]


def _last_positions(position_bias: Any, start: Any, sizes: Any) -> Any:
    """Return the biases ``(1, heads, new tokens, all tokens)`` of the last tokens."""
    return position_bias[:, :, -sizes[2] :, :]
