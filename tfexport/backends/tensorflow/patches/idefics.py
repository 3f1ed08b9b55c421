"""IDEFICS' rotary positions for a text of dynamic length.

transformers 4.57 computes the larger of two lengths; where these are tensors it calls ``tf.reduce_max(a, b)``, whose
second argument is an axis. Without a cache both lengths are the length of the values.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.idefics.modeling_tf_idefics"


def specs() -> list[PatchingSpec]:
    """Return the patch if IDEFICS is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.TFIdeficsEmbedding, "call", _cosines_and_sines)]


def _cosines_and_sines(self: Any, x: Any, seq_len: Any = None) -> Any:
    """Return two tables ``(sequence, head_dim)`` for values ``(batch, heads, sequence, head_dim)``."""
    return self._compute_cos_sin(seq_len=tf.shape(x)[2])
