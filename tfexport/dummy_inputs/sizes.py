"""How long each kind of axis is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tfexport.errors import InputsError

Axes = Mapping[int, str]
"""Names of the dynamic axes of a tensor, by axis index."""

DEFAULT_PIXELS = 224
"""Height and width when neither the preprocessor nor the configuration names one: what most models were trained on."""
DEFAULT_SAMPLING_RATE = 16_000
"""Hertz, when there is no feature extractor: what every speech model of transformers was trained at."""
FRAMES_A_SECOND = 100
"""Of log-mel features: one each 10 ms."""


@dataclass(frozen=True)
class Sizes:
    """How long each kind of axis is. None: what the preprocessor says, else what the configuration says.

    Attributes:
        batch: samples.
        sequence: tokens, special tokens included.
        choice: candidate answers a sample, of a multiple-choice model.
        channels: of images.
        height: of images, in pixels.
        width: of images, in pixels.
        sampling_rate: of audio, in hertz.
        seconds: of audio.
        frequency: of the tone in the audio, in hertz.
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
        """Of the random generator: two sizes get different values."""
        pixels = (self.height or 0, self.width or 0)
        return (self.batch, self.sequence, self.choice, *pixels, round(1000 * self.seconds))

    def of(self, label: str) -> int:
        """Length of an axis by its name.

        Raises:
            InputsError: a name that says nothing about its length.
        """
        length = _LENGTHS.get(label)
        if length is not None:
            return length(self)
        if "sequence" in label:
            return self.sequence
        raise InputsError(
            f"no length is known for an axis named {label!r}; known names are {', '.join(_LENGTHS)} and those with "
            "'sequence'. Override generate_dummy_inputs of the OnnxConfig."
        )

    def shape(self, axes: Axes, rank: int) -> tuple[int, ...]:
        """Shape of an input: axes without a name have length 1."""
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
    "frames": lambda sizes: round(FRAMES_A_SECOND * sizes.seconds),
}
