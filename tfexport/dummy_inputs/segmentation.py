"""Dummy inputs that accompany an image: masks of its patches, and points in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of
from tfexport.dummy_inputs.sizes import DEFAULT_PIXELS

_MASKED = 0.4
"""Share of masked patches, as in the training of BEiT (arXiv:2106.08254, section 2.3)."""


def patches(request: Request) -> int:
    """Return the number of patches of an image."""
    size = first_of(request.config, "patch_size", parts=("vision_config", "encoder"))
    height, width = size if isinstance(size, Iterable) else (size, size)
    sizes = request.sizes
    return ((sizes.height or DEFAULT_PIXELS) // int(height)) * ((sizes.width or DEFAULT_PIXELS) // int(width))


def _bool_masked_pos(request: Request) -> np.ndarray:
    """Return a mask of patches, bool ``(batch, patches)``: some patches of each image are masked."""
    masked: np.ndarray = _noise(request) < _MASKED
    return masked


def _noise(request: Request) -> np.ndarray:
    """Return noise that selects patches, float32 ``(batch, patches)``: uniform in [0, 1)."""
    return request.random.random((request.sizes.batch, patches(request)), dtype=np.float32)


def _points(request: Request) -> tuple[int, int, int]:
    """Return the numbers of images, of point sets per image and of points per set, which vary with the number of images."""
    batch = request.sizes.batch
    return batch, 1 + batch % 2, 1 + batch % 3


def _input_points(request: Request) -> np.ndarray:
    """Return points, float32 ``(batch, sets, points, 2)``: x and y, in pixels of the preprocessed image."""
    sizes = request.sizes
    corner = (sizes.width or DEFAULT_PIXELS, sizes.height or DEFAULT_PIXELS)
    points: np.ndarray = request.random.random((*_points(request), 2), dtype=np.float32) * np.asarray(
        corner, np.float32
    )
    return points


def _input_labels(request: Request) -> np.ndarray:
    """Return the label of each point, int64 ``(batch, sets, points)``: 1 object, 0 background, -1 padding.

    The last point of the last set is padding where the set has several points.
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
