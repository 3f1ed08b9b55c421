"""Dummy inputs for models that read images and text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfexport.dummy_inputs import vision
from tfexport.dummy_inputs.request import Request
from tfexport.dummy_inputs.sizes import Sizes

IMAGES = "images"
"""Name of the axis of several images per sample."""


def _pixel_values(request: Request) -> np.ndarray:
    """Return images, float32 ``(batch, channels, height, width)``, or ``(batch, images, ...)`` where a sample has several."""
    make = vision.GENERATORS[request.name]
    if IMAGES not in request.axes.values():
        return make(request)
    batch, images = request.sizes.batch, _images(request.sizes)
    made = make(replace(request, sizes=replace(request.sizes, batch=batch * images)))
    return made.reshape(batch, images, *made.shape[1:])


def _image_attention_mask(request: Request) -> np.ndarray:
    """Return the images that each token sees, int64 ``(batch, sequence, images)``: any number of them, or none."""
    sizes = request.sizes
    return request.random.integers(0, 2, size=(sizes.batch, sizes.sequence, _images(sizes)))


def _visual_feats(request: Request) -> np.ndarray:
    """Return features of image regions, float32 ``(batch, boxes, features)``."""
    shape = (request.sizes.batch, _boxes(request.sizes), int(request.config.visual_feat_dim))
    return request.random.normal(size=shape).astype(np.float32)


def _visual_pos(request: Request) -> np.ndarray:
    """Return image regions, float32 ``(batch, boxes, 4)``: left, top, right, bottom, each from 0 to 1."""
    sizes = request.sizes
    corners = request.random.uniform(size=(sizes.batch, _boxes(sizes), 2, int(request.config.visual_pos_dim) // 2))
    corners.sort(axis=2)
    return corners.reshape(*corners.shape[:2], -1).astype(np.float32)


def _encoder_hidden_states(request: Request) -> np.ndarray:
    """Return an encoder's output, float32 ``(batch, encoder sequence, hidden)``; longer than the text."""
    shape = (request.sizes.batch, _boxes(request.sizes), int(request.config.encoder_hidden_size))
    return request.random.normal(size=shape).astype(np.float32)


def _images(sizes: Sizes) -> int:
    """Return the number of images per sample: 2 with the 8 traced tokens, and 1 to 4 with other numbers of tokens."""
    return 1 + (sizes.sequence + 1) % 4


def _boxes(sizes: Sizes) -> int:
    """Return the number of image regions, or of an encoder's states. It exceeds the tokens, so that a swapped axis shows."""
    return sizes.sequence + 3


GENERATORS: dict[str, Callable[[Request], np.ndarray]] = {
    "pixel_values": _pixel_values,
    "image_attention_mask": _image_attention_mask,
    "visual_feats": _visual_feats,
    "visual_pos": _visual_pos,
    "encoder_hidden_states": _encoder_hidden_states,
}
