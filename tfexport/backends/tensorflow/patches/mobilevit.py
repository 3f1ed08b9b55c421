"""MobileViT's patches without a branch on the size of the map.

transformers 4.57 resizes a map to a multiple of the patch where it is not one already, and back. Traced with a dynamic
height and width, each layer holds two conditionals and needs AutoGraph. Here every map is resized: resizing a map to its
own size does not change it.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.mobilevit.modeling_tf_mobilevit"


def specs() -> list[PatchingSpec]:
    """Return the patch if MobileViT is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [PatchingSpec(module.TFMobileViTLayer, "unfolding", _always_resized)]


def _always_resized(self: Any, features: Any) -> tuple[Any, dict[str, Any]]:
    """Return patches ``(batch * patch area, patches, channels)`` of a map, and the arguments of `folding`.

    Args:
        self: A ``TFMobileViTLayer``.
        features: ``(batch, height, width, channels)``.
    """
    shape = tf.shape(features)
    batch, height, width, channels = shape[0], shape[1], shape[2], features.shape[3]
    patch_height, patch_width = self.patch_height, self.patch_width
    rows, columns = (height + patch_height - 1) // patch_height, (width + patch_width - 1) // patch_width
    resized = tf.image.resize(features, (rows * patch_height, columns * patch_width), method="bilinear")
    grid = tf.reshape(resized, [batch, rows, patch_height, columns, patch_width, channels])
    patches = tf.transpose(grid, [0, 2, 4, 1, 3, 5])
    return tf.reshape(patches, [batch * patch_height * patch_width, rows * columns, channels]), {
        "orig_size": (height, width),
        "batch_size": batch,
        "channels": channels,
        "interpolate": True,
        "num_patches": rows * columns,
        "num_patches_width": columns,
        "num_patches_height": rows,
    }
