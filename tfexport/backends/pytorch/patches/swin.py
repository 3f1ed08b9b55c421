"""Swin for images of any size.

transformers 4.57.6 decides in Python, from the size of the map, whether its windows are shifted and whether it is
padded: a trace fixes what held for the traced image, and leaves a traced tensor behind in the model. Here padding may
be of nothing, and the shift may be by nothing. The windows themselves are of one size: where a map is smaller than
that, the model itself fails, because its position biases are for that size.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.declarations.patching import PatchingSpec

_CLASSES = (
    ("transformers.models.swin.modeling_swin", "Swin"),
    ("transformers.models.donut.modeling_donut_swin", "DonutSwin"),
)


def specs() -> list[PatchingSpec]:
    """The patches, for those of the models that are imported."""
    found = []
    for module_name, prefix in _CLASSES:
        module = sys.modules.get(module_name)
        if module is not None:
            found += [
                PatchingSpec(getattr(module, f"{prefix}PatchEmbeddings"), "maybe_pad", _pad_image),
                PatchingSpec(getattr(module, f"{prefix}PatchMerging"), "maybe_pad", _pad_to_even),
                PatchingSpec(getattr(module, f"{prefix}Layer"), "forward", _layer),
            ]
    return found


def _pad_image(self: Any, pixel_values: Any, height: Any, width: Any) -> Any:
    """Images ``(batch, channels, height, width)``, padded to whole patches."""
    return torch.nn.functional.pad(
        pixel_values, (0, _missing(width, self.patch_size[1]), 0, _missing(height, self.patch_size[0]))
    )


def _pad_to_even(self: Any, input_feature: Any, height: Any, width: Any) -> Any:
    """A map ``(batch, height, width, channels)``, padded to an even height and width."""
    return torch.nn.functional.pad(input_feature, (0, 0, 0, width % 2, 0, height % 2))


def _layer(
    self: Any,
    hidden_states: Any,
    input_dimensions: tuple[Any, Any],
    head_mask: Any = None,
    output_attentions: bool = False,
    always_partition: bool = False,
) -> tuple[Any, ...]:
    """``SwinLayer.forward``; ``hidden_states`` and the result are ``(batch, height * width, channels)``."""
    height, width = input_dimensions
    batch, _, channels = hidden_states.shape
    window = int(self.window_size)
    pixels = self.layernorm_before(hidden_states).view(batch, height, width, channels)
    pixels = torch.nn.functional.pad(pixels, (0, 0, 0, _missing(width, window), 0, _missing(height, window)))
    rows, columns = pixels.shape[1], pixels.shape[2]

    is_shifted = int(self.shift_size) > 0
    mask = None
    if is_shifted:
        shift = _shift(self, height, width, always_partition)
        pixels = _rolled(_rolled(pixels, shift, 1), shift, 2)
        mask = _mask(rows, columns, window, shift, pixels)
    attended = self.attention(_windows(pixels, window), mask, head_mask, output_attentions=output_attentions)
    pixels = attended[0].view(batch, rows // window, columns // window, window, window, channels)
    pixels = pixels.transpose(2, 3).reshape(batch, rows, columns, channels)
    if is_shifted:
        pixels = _rolled(_rolled(pixels, rows - shift, 1), columns - shift, 2)
    pixels = pixels[:, :height, :width].reshape(batch, height * width, channels)

    hidden_states = hidden_states + self.drop_path(pixels)
    output = hidden_states + self.output(self.intermediate(self.layernorm_after(hidden_states)))
    return (output, *attended[1:])


def _missing(length: Any, multiple: int) -> Any:
    """What a length lacks to a multiple."""
    return (multiple - length % multiple) % multiple


def _shift(self: Any, height: Any, width: Any, always: bool) -> Any:
    """By how much windows are shifted: not at all on a map that is one window high or wide."""
    shift, window = int(self.shift_size), int(self.window_size)
    if always:
        return shift
    if isinstance(height, torch.Tensor):  # as TorchScript traces lengths
        return shift * (torch.minimum(height, width) > window).to(torch.int64)
    return shift if min(height, width) > window else 0


def _rolled(pixels: Any, by: Any, axis: int) -> Any:
    """A tensor whose first `by` entries along an axis are moved to the end."""
    before = (slice(None),) * axis
    return torch.cat([pixels[(*before, slice(by, None))], pixels[(*before, slice(None, by))]], dim=axis)


def _windows(pixels: Any, window: int) -> Any:
    """``(batch, rows, columns, channels)`` cut into windows ``(batch * windows, window * window, channels)``."""
    batch, rows, columns, channels = pixels.shape
    cut = pixels.view(batch, rows // window, window, columns // window, window, channels)
    return cut.transpose(2, 3).reshape(-1, window * window, channels)


def _mask(rows: Any, columns: Any, window: int, shift: Any, like: Any) -> Any:
    """-100 between pixels that only the shift made neighbours ``(windows, window * window, window * window)``."""
    row, column = (_region(length, window, shift, like) for length in (rows, columns))
    region = _windows((3 * row[:, None] + column)[None, :, :, None], window).squeeze(-1)
    apart = region[:, :, None] != region[:, None, :]
    return torch.zeros_like(apart, dtype=like.dtype).masked_fill(apart, -100.0)


def _region(length: Any, window: int, shift: Any, like: Any) -> Any:
    """Part of a rolled axis ``(length,)``: 0, 1 in the last window, 2 where what was rolled stands."""
    place = torch.arange(length, device=like.device)
    return (place >= length - window).long() + (place >= length - shift).long()
