"""Length of each kind of axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tfexport.errors import InputsError

Axes = Mapping[int, str]
"""Names of the dynamic axes of a tensor, by axis index."""

DEFAULT_PIXELS = 224
"""Height and width when neither the preprocessor nor the configuration has them: most models were trained on this size."""
DEFAULT_SAMPLING_RATE = 16_000
"""Sampling rate in hertz without a feature extractor: the rate that every speech model of transformers was trained at."""
FRAMES_PER_SECOND = 100
"""Frames of log-mel features per second: one every 10 ms."""


@dataclass(frozen=True)
class Sizes:
    """Length of each kind of axis. None stands for the preprocessor's value, else the configuration's.

    Attributes:
        batch: Number of samples.
        sequence: Number of tokens, special tokens included.
        choice: Number of candidate answers per sample of a multiple-choice model.
        channels: Number of channels of images.
        height: Height of images, in pixels.
        width: Width of images, in pixels.
        sampling_rate: Sampling rate of audio, in hertz.
        seconds: Length of audio, in seconds.
        frequency: Frequency of the tone in the audio, in hertz.
    """

    batch: int
    sequence: int
    choice: int
    channels: int | None = None
    height: int | None = None
    width: int | None = None
    sampling_rate: int | None = None
    seconds: float = 1.0
    frequency: int = 220

    @property
    def seed(self) -> tuple[int, ...]:
        """Seed of the random generator, so that two sizes have different values."""
        pixels = (self.height or 0, self.width or 0)
        return (self.batch, self.sequence, self.choice, *pixels, round(1000 * self.seconds))

    def of(self, label: str) -> int:
        """Return the length of an axis by its name.

        Raises:
            InputsError: no length is known for the name.
        """
        length = _LENGTHS.get(label)
        if length is not None:
            return length(self)
        if "sequence" in label:
            return self.sequence
        raise InputsError(
            f"tfexport has no length for an axis named {label!r}. It knows {', '.join(_LENGTHS)} and names that contain "
            "'sequence'. Override generate_dummy_inputs in the OnnxConfig."
        )

    def shape(self, axes: Axes, rank: int) -> tuple[int, ...]:
        """Return the shape of an input. Axes without a name have length 1."""
        return tuple(self.of(axes[axis]) if axis in axes else 1 for axis in range(max(rank, *(a + 1 for a in axes))))


_LENGTHS: dict[str, Callable[[Sizes], int]] = {
    "batch": lambda sizes: sizes.batch,
    "image_batch": lambda sizes: sizes.batch,
    "text_batch": lambda sizes: sizes.batch,
    "choice": lambda sizes: sizes.choice,
    "num_choices": lambda sizes: sizes.choice,
    "num_channels": lambda sizes: sizes.channels or 3,
    "height": lambda sizes: sizes.height or DEFAULT_PIXELS,
    "width": lambda sizes: sizes.width or DEFAULT_PIXELS,
    "samples": lambda sizes: round((sizes.sampling_rate or DEFAULT_SAMPLING_RATE) * sizes.seconds),
    "frames": lambda sizes: round(FRAMES_PER_SECOND * sizes.seconds),
}
