"""ImageGPT's attention scale, as its own code computes it.

transformers 4.57.6 divides the scores by ``torch_float(head_size ** 0.5)``, whose name promises a float: it gives one
while a model is traced, and an integer, cut off, when the model runs. A head of 8 is then scaled by 2 in the model and
by 2.83 in its file. The file must compute what the model does.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.declarations.patching import PatchingSpec

_MODULE = "transformers.models.imagegpt.modeling_imagegpt"


def specs() -> list[PatchingSpec]:
    """The patch, when ImageGPT is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module, "torch_float", _as_untraced)]


def _as_untraced(value: Any) -> int:
    """What ``torch_float`` gives outside of a trace. The value is a head's size: the weights fix it."""
    return int(value)
