"""Dropout masks of Keras 3's recurrent cells without random numbers.

Keras 3.15 also makes the masks of a recurrent layer with dropout outside training, and leaves them unused. Each mask draws
a seed and so assigns a variable, which ONNX cannot express.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")

_MODULE = "keras.src.layers.rnn.dropout_rnn_cell"


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras's layers are imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.DropoutRNNCell, "_create_dropout_mask", _nothing_dropped)]


def _nothing_dropped(self: Any, step_input: Any, dropout_rate: float) -> Any:
    """Return ones, or a list of them, in place of ``DropoutRNNCell._create_dropout_mask``."""
    count = getattr(self, "dropout_mask_count", None)
    ones = tf.ones_like(step_input)
    return ones if count is None else [ones] * count
