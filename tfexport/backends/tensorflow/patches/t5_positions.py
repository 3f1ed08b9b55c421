"""T5's relative positions beside a key-value cache that holds tokens alone.

transformers 4.57's TensorFlow T5 allows for a cache with room to spare, as XLA wants it: it looks for the last key whose
first number is not zero, and slices the biases after it with an XLA op. An exported file's cache has no such room, so the
new tokens' biases are the last ones, whatever numbers the keys have.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.declarations.patching import PatchingSpec

_MODULE = "transformers.models.t5.modeling_tf_t5"


def specs() -> list[PatchingSpec]:
    """The patch, when T5 is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "dynamic_slice", _last_positions)]


def _last_positions(position_bias: Any, start: Any, sizes: Any) -> Any:
    """The biases ``(1, heads, new tokens, all tokens)`` of the last tokens."""
    return position_bias[:, :, -sizes[2] :, :]
