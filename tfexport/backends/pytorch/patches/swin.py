"""Swin for images of any size.

transformers 4.57.6 decides in Python, from the size of the map, whether its windows are shifted and whether it is padded.
A trace fixes both decisions for the traced image, and leaves a traced tensor behind in the model. Here padding and shift
may be zero. The windows themselves have one size. The unpatched model also fails on a map smaller than a window, because
its position biases are for that size.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_CLASSES = (
    ("transformers.models.swin.modeling_swin", "Swin"),
    ("transformers.models.donut.modeling_donut_swin", "DonutSwin"),
)


def specs() -> list[PatchingSpec]:
    """Return the patches of those models that are imported."""
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
    """Pad images ``(batch, channels, height, width)`` to whole patches."""
    return torch.nn.functional.pad(
        pixel_values, (0, _missing(width, self.patch_size[1]), 0, _missing(height, self.patch_size[0]))
    )


def _pad_to_even(self: Any, input_feature: Any, height: Any, width: Any) -> Any:
    """Pad a map ``(batch, height, width, channels)`` to an even height and width."""
    return torch.nn.functional.pad(input_feature, (0, 0, 0, width % 2, 0, height % 2))


def _layer(
    self: Any,
    hidden_states: Any,
    input_dimensions: tuple[Any, Any],
    head_mask: Any = None,
    output_attentions: bool = False,
    always_partition: bool = False,
) -> tuple[Any, ...]:
    """Apply the layer as ``SwinLayer.forward`` does: ``(batch, height * width, channels)`` to the same shape."""
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
    """Return how far a length is from the next multiple."""
    return (multiple - length % multiple) % multiple


def _shift(self: Any, height: Any, width: Any, always: bool) -> Any:
    """Return by how much windows are shifted: 0 on a map that is one window high or wide."""
    shift, window = int(self.shift_size), int(self.window_size)
    if always:
        return shift
    if isinstance(height, torch.Tensor):  # TorchScript traces lengths as tensors
        return shift * (torch.minimum(height, width) > window).to(torch.int64)
    return shift if min(height, width) > window else 0


def _rolled(pixels: Any, by: Any, axis: int) -> Any:
    """Move the first `by` entries along an axis to the end."""
    before = (slice(None),) * axis
    return torch.cat([pixels[(*before, slice(by, None))], pixels[(*before, slice(None, by))]], dim=axis)


def _windows(pixels: Any, window: int) -> Any:
    """Cut ``(batch, rows, columns, channels)`` into windows ``(batch * windows, window * window, channels)``."""
    batch, rows, columns, channels = pixels.shape
    cut = pixels.view(batch, rows // window, window, columns // window, window, channels)
    return cut.transpose(2, 3).reshape(-1, window * window, channels)


def _mask(rows: Any, columns: Any, window: int, shift: Any, like: Any) -> Any:
    """Return ``(windows, window * window, window * window)``: -100 between pixels that only the shift made neighbours."""
    row, column = (_region(length, window, shift, like) for length in (rows, columns))
    region = _windows((3 * row[:, None] + column)[None, :, :, None], window).squeeze(-1)
    is_separate = region[:, :, None] != region[:, None, :]
    return torch.zeros_like(is_separate, dtype=like.dtype).masked_fill(is_separate, -100.0)


def _region(length: Any, window: int, shift: Any, like: Any) -> Any:
    """Return the region of each place on a rolled axis ``(length,)``: 1 in the last window, 2 if rolled, else 0."""
    place = torch.arange(length, device=like.device)
    return (place >= length - window).long() + (place >= length - shift).long()
