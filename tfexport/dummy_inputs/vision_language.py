"""Dummy inputs of models that read images and text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfexport.dummy_inputs import vision
from tfexport.dummy_inputs.request import Request
from tfexport.dummy_inputs.sizes import Sizes

IMAGES = "images"
"""Name of the axis of several images a sample."""


def _pixel_values(request: Request) -> np.ndarray:
    """Images ``(batch, channels, height, width)``; ``(batch, images, ...)`` where a sample has several."""
    make = vision.GENERATORS[request.name]
    if IMAGES not in request.axes.values():
        return make(request)
    batch, images = request.sizes.batch, _images(request.sizes)
    made = make(replace(request, sizes=replace(request.sizes, batch=batch * images)))
    return made.reshape(batch, images, *made.shape[1:])


def _image_attention_mask(request: Request) -> np.ndarray:
    """Which images a token sees ``(batch, sequence, images)``, int64: any of them, or none."""
    sizes = request.sizes
    return request.random.integers(0, 2, size=(sizes.batch, sizes.sequence, _images(sizes)))


def _visual_feats(request: Request) -> np.ndarray:
    """Features of regions of an image ``(batch, boxes, features)``, float32."""
    shape = (request.sizes.batch, _boxes(request.sizes), int(request.config.visual_feat_dim))
    return request.random.normal(size=shape).astype(np.float32)


def _visual_pos(request: Request) -> np.ndarray:
    """Regions of an image, from 0 to 1 ``(batch, boxes, 4)``, float32: left, top, right, bottom."""
    sizes = request.sizes
    corners = request.random.uniform(size=(sizes.batch, _boxes(sizes), 2, int(request.config.visual_pos_dim) // 2))
    corners.sort(axis=2)
    return corners.reshape(*corners.shape[:2], -1).astype(np.float32)


def _encoder_hidden_states(request: Request) -> np.ndarray:
    """What an encoder made ``(batch, encoder sequence, hidden)``, float32; longer than the text."""
    shape = (request.sizes.batch, _boxes(request.sizes), int(request.config.encoder_hidden_size))
    return request.random.normal(size=shape).astype(np.float32)


def _images(sizes: Sizes) -> int:
    """Images a sample: 2 beside the 8 tokens that are traced, and 1 to 4 beside others."""
    return 1 + (sizes.sequence + 1) % 4


def _boxes(sizes: Sizes) -> int:
    """Regions of an image, or what an encoder made of them: more than tokens, so that a mixed-up axis shows."""
    return sizes.sequence + 3


GENERATORS: dict[str, Callable[[Request], np.ndarray]] = {
    "pixel_values": _pixel_values,
    "image_attention_mask": _image_attention_mask,
    "visual_feats": _visual_feats,
    "visual_pos": _visual_pos,
    "encoder_hidden_states": _encoder_hidden_states,
}
