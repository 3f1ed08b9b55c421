"""ImageGPT's attention scale, as its own code computes it.

transformers 4.57.6 divides the scores by ``torch_float(head_size ** 0.5)``. This function returns a float while a model is
traced, and a truncated integer when the model runs. A head of size 8 is then scaled by 2 in the model and by 2.83 in its
file. The file must compute the same values as the model.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.imagegpt.modeling_imagegpt"


def specs() -> list[PatchingSpec]:
    """Return the patch if ImageGPT is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "torch_float", _as_untraced)]


def _as_untraced(value: Any) -> int:
    """Return the result of ``torch_float`` outside a trace. The value depends on a head's size, which the weights fix."""
    return int(value)
