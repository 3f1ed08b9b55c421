"""MobileNet's padding, which follows TensorFlow's, for images of any size.

transformers 4.57 computes it in Python, with branches on the height and the width: a trace fixes the padding of one image.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULES = (
    "transformers.models.mobilenet_v1.modeling_mobilenet_v1",
    "transformers.models.mobilenet_v2.modeling_mobilenet_v2",
)


def specs() -> list[PatchingSpec]:
    """Return the patches of those models that are imported."""
    modules = [sys.modules[name] for name in _MODULES if name in sys.modules]
    return [PatchingSpec(module, "apply_tf_padding", _same_padding) for module in modules]


def _same_padding(features: Any, conv_layer: Any) -> Any:
    """Pad ``(batch, channels, height, width)`` with zeros; an odd number of them has one more at the right and below."""
    sides: list[Any] = []
    for axis in (-1, -2):
        dilation = conv_layer.dilation[axis]
        total = _along(features.shape[axis], conv_layer.kernel_size[axis], conv_layer.stride[axis])
        before = total // 2
        sides += [before * dilation, (total - before) * dilation]
    return torch.nn.functional.pad(features, sides)


def _along(length: Any, kernel: int, stride: int) -> Any:
    """Return the number of pixels that an axis lacks for the last step of the kernel."""
    lacking = kernel - 1 - (length - 1) % stride
    if kernel >= stride:
        return lacking
    return lacking.clamp(min=0) if isinstance(lacking, torch.Tensor) else torch.sym_max(lacking, 0)
