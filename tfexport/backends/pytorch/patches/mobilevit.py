"""MobileViT's patches, for images of any size.

transformers 4.57 resizes a map to a multiple of the patch, and decides in Python whether it must: a trace fixes that
decision. Here every map is resized: resizing a map to its own size does not change it. MobileViT v2 cuts with ``unfold``
and ``fold``, for which torch 2.13's TorchScript exporter requires static sizes; reshaping does the same.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_FIRST = "transformers.models.mobilevit.modeling_mobilevit"
_SECOND = "transformers.models.mobilevitv2.modeling_mobilevitv2"


def specs() -> list[PatchingSpec]:
    """Return the patches of those models that are imported."""
    found: list[PatchingSpec] = []
    if _FIRST in sys.modules:
        layer = sys.modules[_FIRST].MobileViTLayer
        found.append(PatchingSpec(layer, "unfolding", _always_resized))
    if _SECOND in sys.modules:
        layer = sys.modules[_SECOND].MobileViTV2Layer
        found += [PatchingSpec(layer, "unfolding", _unfolded), PatchingSpec(layer, "folding", _folded)]
    return found


def _always_resized(self: Any, features: Any) -> tuple[Any, dict[str, Any]]:
    """Return patches ``(batch * patch area, patches, channels)`` and the arguments of ``MobileViTLayer.folding``."""
    batch, channels, height, width = features.shape
    patch_height, patch_width = self.patch_height, self.patch_width
    rows, columns = (height + patch_height - 1) // patch_height, (width + patch_width - 1) // patch_width
    size = (rows * patch_height, columns * patch_width)
    resized = torch.nn.functional.interpolate(features, size=size, mode="bilinear", align_corners=False)
    grid = resized.reshape(batch, channels, rows, patch_height, columns, patch_width).permute(0, 3, 5, 2, 4, 1)
    patches = grid.reshape(batch * patch_height * patch_width, rows * columns, channels)
    return patches, {
        "orig_size": (height, width),
        "batch_size": batch,
        "channels": channels,
        "interpolate": True,
        "num_patches": rows * columns,
        "num_patches_width": columns,
        "num_patches_height": rows,
    }


def _unfolded(self: Any, feature_map: Any) -> tuple[Any, tuple[Any, Any]]:
    """Return patches ``(batch, channels, patch area, patches)``, and the map's height and width. Drop a remainder."""
    batch, channels, height, width = feature_map.shape
    rows, columns = height // self.patch_height, width // self.patch_width
    whole = feature_map[:, :, : rows * self.patch_height, : columns * self.patch_width]
    grid = whole.reshape(batch, channels, rows, self.patch_height, columns, self.patch_width)
    area = self.patch_height * self.patch_width
    return grid.permute(0, 1, 3, 5, 2, 4).reshape(batch, channels, area, rows * columns), (height, width)


def _folded(self: Any, patches: Any, output_size: tuple[Any, Any]) -> Any:
    """Return the map ``(batch, channels, height, width)`` made of patches, with zeros in the remainder."""
    height, width = output_size
    rows, columns = height // self.patch_height, width // self.patch_width
    batch, channels = patches.shape[:2]
    grid = patches.reshape(batch, channels, self.patch_height, self.patch_width, rows, columns)
    below, right = height - rows * self.patch_height, width - columns * self.patch_width
    whole = grid.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, height - below, width - right)
    return torch.nn.functional.pad(whole, (0, right, 0, below))
