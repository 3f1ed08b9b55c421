"""Dummy images of the size that the image processor makes or the model requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of, part_of
from tfexport.dummy_inputs.sizes import DEFAULT_PIXELS

_VISION_PARTS = ("vision_config", "encoder")
_WHITE = 255


def image_size(config: Any, preprocessor: Any) -> tuple[int, int]:
    """Return height and width in pixels: those of the image processor, else of the configuration, else 224."""
    processor = _image_processor(preprocessor)
    if processor is not None:
        resized = _height_and_width(getattr(processor, "size", None))
        cropped = getattr(processor, "crop_size", None) if getattr(processor, "do_center_crop", False) else None
        made = _height_and_width(cropped) or resized
        if made is not None and resized is not None and min(made) > max(resized):
            made = resized  # Perceiver's crops first: no crop is larger than the resized image
        if made is not None:
            return made
    named = _height_and_width(first_of(config, "image_size", "input_size", parts=_VISION_PARTS))
    return named or (DEFAULT_PIXELS, DEFAULT_PIXELS)


def image_channels(config: Any) -> int:
    """Return the number of channels of the model's images; 3 when the configuration does not state it."""
    return int(first_of(config, "num_channels", parts=_VISION_PARTS) or 3)


def _image_processor(preprocessor: Any) -> Any:
    """Return the image processor of a preprocessor, or None. One that does not normalise has no mean (MobileViT)."""
    return part_of(preprocessor, "image_processor", "do_resize") or part_of(
        preprocessor, "image_processor", "image_mean"
    )


def _height_and_width(size: Any) -> tuple[int, int] | None:
    if isinstance(size, Mapping) or hasattr(size, "get"):
        edge = size.get("shortest_edge")
        height, width = size.get("height", edge), size.get("width", edge)
        return (int(height), int(width)) if height and width else None
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return (int(size), int(size)) if isinstance(size, int) else None


def _pixel_values(request: Request) -> np.ndarray:
    """Return images, float32 ``(batch, channels, height, width)``, rescaled and normalised as by the image processor.

    Without an image processor, values are from -1 to 1.
    """
    sizes = request.sizes
    shape = tuple(sizes.of(label) for label in ("batch", "num_channels", "height", "width"))
    values = request.random.integers(0, _WHITE + 1, size=shape).astype(np.float32)
    scale, mean, std = _scaling(_image_processor(request.preprocessor))
    per_channel = (1, -1, 1, 1)
    made: np.ndarray = (values * scale - np.reshape(mean, per_channel)) / np.reshape(std, per_channel)
    return made.astype(np.float32)


def _scaling(processor: Any) -> tuple[float, Any, Any]:
    """Return the factor, the mean and the standard deviation with which an image processor rescales and normalises pixels."""
    if processor is None:
        return 1 / _WHITE, 0.5, 0.5
    scale = getattr(processor, "rescale_factor", 1 / _WHITE) if getattr(processor, "do_rescale", False) else 1.0
    mean, std = (getattr(processor, name, None) for name in ("image_mean", "image_std"))
    if not getattr(processor, "do_normalize", False) or mean is None or std is None:
        return scale, 0.0, 1.0
    return scale, mean, std


def _pixel_mask(request: Request) -> np.ndarray:
    """Return a mask of the pixels that are not padding, int64 ``(batch, height, width)``: all of them."""
    return np.ones([request.sizes.of(label) for label in ("batch", "height", "width")], np.int64)


GENERATORS = {"pixel_values": _pixel_values, "pixel_mask": _pixel_mask}
