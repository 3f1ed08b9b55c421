"""Adaptive average pooling to any size, of maps of any size.

torch 2.13's TorchScript exporter converts it only where the map's size is known and is a multiple of the pooled size.
UPerNet's head, in BEiT and data2vec, pools to 1, 2, 3 and 6. Here each axis is multiplied by a matrix that holds the
windows.
"""

from __future__ import annotations

from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("torch", ">=2.13,<2.14")

_ORIGINAL = torch.nn.functional.adaptive_avg_pool2d


def specs() -> list[PatchingSpec]:
    """Return the patch."""
    return [PatchingSpec(torch.nn.functional, "adaptive_avg_pool2d", _pool)]


def _pool(maps: Any, output_size: Any) -> Any:
    """Pool ``(..., height, width)`` to ``(..., *output_size)``."""
    sizes = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    if None in sizes or sizes == (1, 1):  # one window is ONNX's GlobalAveragePool
        return _ORIGINAL(maps, output_size)
    rows, columns = (_windows(maps.shape[axis], size, maps) for axis, size in zip((-2, -1), sizes, strict=True))
    return rows @ maps @ columns.transpose(0, 1)


def _windows(length: Any, count: int, like: Any) -> Any:
    """Return the share of each entry of an axis in each window ``(count, length)``.

    Window `i` reaches from ``floor(i * length / count)`` to ``ceil((i + 1) * length / count)``; two may overlap.
    """
    index = torch.arange(count, device=like.device)[:, None]
    first = torch.div(index * length, count, rounding_mode="floor")
    end = torch.div((index + 1) * length + count - 1, count, rounding_mode="floor")
    place = torch.arange(length, device=like.device)
    inside = ((place >= first) & (place < end)).to(like.dtype)
    return inside / (end - first)
