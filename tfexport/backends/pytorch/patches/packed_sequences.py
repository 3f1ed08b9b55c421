"""The search for packed sequences in position ids, without ``torch.diff``.

transformers 4.57 searches for several texts in one row wherever a decoder has position ids and no mask (Whisper). torch
2.13's TorchScript exporter has no mapping for ``aten::diff``.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.masking_utils"


def specs() -> list[PatchingSpec]:
    """Return the patch if a model that makes masks is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "find_packed_sequence_indices", _packed_sequences)]


def _packed_sequences(position_ids: Any) -> Any:
    """Return the number of the text to which each token of a row belongs, int64 ``(batch, sequence)``.

    A text begins wherever a position does not follow the position before it; the first text of a row has number 0.

    Args:
        position_ids: int64 ``(batch, sequence)``.
    """
    before = torch.cat([position_ids[:, :1] - 1, position_ids[:, :-1]], dim=1)
    return (position_ids - before != 1).long().cumsum(-1)
