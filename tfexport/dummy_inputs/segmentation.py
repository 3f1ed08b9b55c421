"""What models take beside an image: which of its patches are masked, and points in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of
from tfexport.dummy_inputs.sizes import DEFAULT_PIXELS

_MASKED = 0.4
"""Share of the patches that is masked, as BEiT was trained (arXiv:2106.08254, section 2.3)."""


def patches(request: Request) -> int:
    """How many patches the images of a request have."""
    size = first_of(request.config, "patch_size", parts=("vision_config", "encoder"))
    height, width = size if isinstance(size, Iterable) else (size, size)
    sizes = request.sizes
    return ((sizes.height or DEFAULT_PIXELS) // int(height)) * ((sizes.width or DEFAULT_PIXELS) // int(width))


def _bool_masked_pos(request: Request) -> np.ndarray:
    """Which patches are masked ``(batch, patches)``, bool: some of each image."""
    masked: np.ndarray = _noise(request) < _MASKED
    return masked


def _noise(request: Request) -> np.ndarray:
    """Noise that chooses patches ``(batch, patches)``, float32: uniform in [0, 1)."""
    return request.random.random((request.sizes.batch, patches(request)), dtype=np.float32)


def _points(request: Request) -> tuple[int, int, int]:
    """Images, sets of points for each, and points of each set; two numbers of images have other numbers of points."""
    batch = request.sizes.batch
    return batch, 1 + batch % 2, 1 + batch % 3


def _input_points(request: Request) -> np.ndarray:
    """Points ``(batch, sets, points, 2)``, float32: x and y, in pixels of the image as the model sees it."""
    sizes = request.sizes
    corner = (sizes.width or DEFAULT_PIXELS, sizes.height or DEFAULT_PIXELS)
    points: np.ndarray = request.random.random((*_points(request), 2), dtype=np.float32) * np.asarray(
        corner, np.float32
    )
    return points


def _input_labels(request: Request) -> np.ndarray:
    """What each point says ``(batch, sets, points)``, int64: 1 of the object, 0 of the background, -1 no point.

    The last set's last point is padding, where it has another one before it.
    """
    labels: np.ndarray = request.random.integers(0, 2, size=_points(request))
    labels[..., 0] = 1
    if labels.shape[-1] > 1:
        labels[:, -1, -1] = -1
    return labels


GENERATORS = {
    "bool_masked_pos": _bool_masked_pos,
    "noise": _noise,
    "input_points": _input_points,
    "input_labels": _input_labels,
}
