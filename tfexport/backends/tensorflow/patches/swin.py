"""Swin for images of any size, and without conditionals.

transformers 4.57.6 computes the smaller side of a map with ``tf.reduce_min``, even where both sides are known. While
tracing, the result is a tensor, and whether windows are shifted becomes a conditional. tf2onnx 1.17.0 converts the ``Roll``
in it silently wrongly. Whether a map is padded is a condition in Python, which fails for images of any size.

Here known lengths stay Python numbers, and padding and shift may be zero. The windows themselves have one size. The
unpatched model also fails on a map smaller than a window, because its position biases are for that size.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.swin.modeling_tf_swin"


def specs() -> list[PatchingSpec]:
    """Return the patches if Swin is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [
        PatchingSpec(module.TFSwinPatchEmbeddings, "maybe_pad", _pad_image),
        PatchingSpec(module.TFSwinPatchMerging, "maybe_pad", _pad_to_even),
        PatchingSpec(module.TFSwinLayer, "call", _layer),
    ]


def _pad_image(self: Any, pixel_values: Any, height: Any, width: Any) -> Any:
    """Pad images ``(batch, channels, height, width)`` to whole patches."""
    missing = [_missing(height, self.patch_size[0]), _missing(width, self.patch_size[1])]
    return _padded(pixel_values, [0, 0, *missing])


def _pad_to_even(self: Any, input_feature: Any, height: Any, width: Any) -> Any:
    """Pad a map ``(batch, height, width, channels)`` to an even height and width."""
    return _padded(input_feature, [0, height % 2, width % 2, 0])


def _layer(
    self: Any,
    hidden_states: Any,
    input_dimensions: tuple[Any, Any],
    head_mask: Any = None,
    output_attentions: bool = False,
    training: bool = False,
) -> tuple[Any, ...]:
    """Apply the layer as ``TFSwinLayer.call`` does: ``(batch, height * width, channels)`` to the same shape."""
    height, width = input_dimensions
    batch, channels = tf.shape(hidden_states)[0], hidden_states.shape[-1]
    window = int(self.window_size)
    pixels = self.layernorm_before(hidden_states, training=training)
    pixels = tf.reshape(pixels, (batch, height, width, channels))
    missing = [_missing(height, window), _missing(width, window)]
    pixels = _padded(pixels, [0, *missing, 0])
    rows, columns = height + missing[0], width + missing[1]

    shift = _shift(self, height, width)
    is_shifted = not (isinstance(shift, int) and shift == 0)
    mask = None
    if is_shifted:
        pixels = _rolled(_rolled(pixels, shift, 1), shift, 2)
        mask = _mask(rows, columns, window, shift, pixels.dtype)
    windows = _windows(pixels, (batch, rows, columns, channels), window)
    attended = self.attention(windows, mask, head_mask, output_attentions=output_attentions, training=training)
    pixels = tf.reshape(attended[0], (batch, rows // window, columns // window, window, window, channels))
    pixels = tf.reshape(tf.transpose(pixels, (0, 1, 3, 2, 4, 5)), (batch, rows, columns, channels))
    if is_shifted:
        pixels = _rolled(_rolled(pixels, rows - shift, 1), columns - shift, 2)
    pixels = tf.reshape(pixels[:, :height, :width], (batch, height * width, channels))

    hidden_states += self.drop_path(pixels, training=training)
    output = self.intermediate(self.layernorm_after(hidden_states, training=training))
    output = hidden_states + self.swin_output(output, training=training)
    return (output, *attended[1:])


def _missing(length: Any, multiple: int) -> Any:
    """Return how far a length is from the next multiple."""
    return (multiple - length % multiple) % multiple


def _padded(tensor: Any, after: list[Any]) -> Any:
    """Append zeros to each axis; return the same tensor when all counts are known to be 0."""
    if all(isinstance(count, int) and count == 0 for count in after):
        return tensor
    return tf.pad(tensor, [[0, count] for count in after])


def _shift(self: Any, height: Any, width: Any) -> Any:
    """Return by how much windows are shifted: 0 on a map that is one window high or wide."""
    shift, window = int(self.shift_size), int(self.window_size)
    if shift == 0 or (isinstance(height, int) and isinstance(width, int)):
        return shift if shift and min(height, width) > window else 0
    return tf.where(tf.minimum(height, width) > window, shift, 0)


def _rolled(pixels: Any, by: Any, axis: int) -> Any:
    """Move the first `by` entries along an axis to the end."""
    before = (slice(None),) * axis
    return tf.concat([pixels[(*before, slice(by, None))], pixels[(*before, slice(None, by))]], axis=axis)


def _windows(pixels: Any, shape: tuple[Any, ...], window: int) -> Any:
    """Cut ``(batch, rows, columns, channels)`` into windows ``(batch * windows, window * window, channels)``."""
    batch, rows, columns, channels = shape
    cut = tf.reshape(pixels, (batch, rows // window, window, columns // window, window, channels))
    return tf.reshape(tf.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, window * window, channels))


def _mask(rows: Any, columns: Any, window: int, shift: Any, dtype: Any) -> Any:
    """Return ``(windows, window * window, window * window)``: -100 between pixels that only the shift made neighbours."""
    row, column = (_region(length, window, shift) for length in (rows, columns))
    region = _windows(3 * row[:, tf.newaxis] + column, (1, rows, columns, 1), window)
    is_separate = region != tf.transpose(region, (0, 2, 1))
    return tf.where(is_separate, tf.constant(-100.0, dtype), tf.constant(0.0, dtype))


def _region(length: Any, window: int, shift: Any) -> Any:
    """Return the region of each place on a rolled axis ``(length,)``: 1 in the last window, 2 if rolled, else 0."""
    place = tf.range(length)
    return tf.cast(place >= length - window, tf.int32) + tf.cast(place >= length - shift, tf.int32)
