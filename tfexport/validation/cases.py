"""The cases of a validation: shapes that differ from the traced one, and masks that differ from row to row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfexport import dummy_inputs
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST, TOKEN_IDS, Side, Values

DECODER_AXIS = "decoder_sequence"
IMAGES_AXIS = "image_batch"
"""Axis of images that are compared with texts, each image with each text: the numbers of the two may differ."""


@dataclass(frozen=True)
class Case:
    """One set of inputs, which these values reproduce. None means that the model lacks the axis, or has it with a fixed length.

    Attributes:
        batch: Number of samples.
        sequence: Number of tokens.
        choices: Number of candidate answers of a multiple-choice model.
        padding: Side on which each row is padded by another length; None for full rows.
        decoder: Number of tokens of the decoder, in models whose decoder reads a text of its own.
        image: Height and width, in pixels.
        seconds: Length of the audio.
        images: Number of images, in models that compare them with texts; `batch` is the number of texts.
        past: Number of tokens in the key-value cache.
        values: Kind of the values of the inputs.
        seed: Seed of the values that are drawn.
        lengths: Length of each dynamic axis by its name, in models that are known by their signature only.
    """

    batch: int
    sequence: int | None = None
    choices: int | None = None
    padding: Side | None = None
    decoder: int | None = None
    image: tuple[int, int] | None = None
    seconds: float | None = None
    images: int | None = None
    past: int | None = None
    values: Values = "drawn"
    seed: int = 0
    lengths: tuple[tuple[str, int], ...] | None = None

    @property
    def name(self) -> str:
        """Name in reports: ``3x13, padded right``; ``2x7 and 4 of the decoder``; ``3, 64x96 pixels``; ``3x2 after 5``."""
        if self.lengths is not None:
            parts = [f"{label} {length}" for label, length in self.lengths] or ["its one shape"]
            return ", ".join([*parts, *self._filling])
        shape = [size for size in (self.batch, self.choices, self.sequence) if size is not None]
        parts = ["x".join(map(str, shape)) + (f" and {self.decoder} of the decoder" if self.decoder else "")]
        if self.images is not None:
            parts[0] += f" and {self.images} images"
        if self.past is not None:
            parts[0] += f" after {self.past}"
        if self.image is not None:
            parts.append("{}x{} pixels".format(*self.image))
        if self.seconds is not None:
            parts.append(f"{self.seconds:g} s")
        return ", ".join([*parts, *self._filling])

    @property
    def _filling(self) -> list[str]:
        padded = [f"padded {self.padding}"] if self.padding else []
        values = [self.values] if self.values != "drawn" else []
        return [*padded, *values, *([f"seed {self.seed}"] if self.seed else [])]


@dataclass(frozen=True)
class _Variation:
    """The differences between a case and the traced inputs, for models of every modality."""

    batch: int
    sequence: int
    padding: Side | None = None
    taller: int = 0
    wider: int = 0
    seconds: float = 1.0
    past: int = 0
    values: Values = "drawn"
    seed: int = 0


_STANDARD = (
    _Variation(1, 1, wider=32, seconds=0.5, past=16),
    _Variation(1, 16, taller=32, seconds=1.5),
    _Variation(3, 13, "right", taller=32, wider=64, seconds=0.73, past=5),  # a prime length
    _Variation(2, 7, "left", taller=7, wider=3, seconds=1.01),  # no multiple of any stride
    _Variation(5, 11, seconds=0.9, past=3),
)


_MAXIMUM = 1024
_THOROUGH = (
    *_STANDARD,
    _Variation(1, _MAXIMUM),
    _Variation(3, 8, "to few", past=2),
    _Variation(2, 10, past=1, seed=1),
    _Variation(2, 9, past=1, values="zeros"),
    _Variation(2, 9, past=1, values="largest"),
    _Variation(2, 9, past=1, values="repeated"),
)


def standard_cases(config: OnnxConfig) -> tuple[Case, ...]:
    """Return the cases for a declaration: only axes that it names vary, and no row is longer than the model accepts."""
    return _cases(config, _STANDARD)


def thorough_cases(config: OnnxConfig) -> tuple[Case, ...]:
    """Return more cases than `standard_cases`.

    They are the longest row that the model accepts (up to 1024 tokens), rows of which few tokens are not padding, another
    seed, zeros, the largest values, and one value repeated.
    """
    return _cases(config, _THOROUGH)


def _cases(config: OnnxConfig, variations: tuple[_Variation, ...]) -> tuple[Case, ...]:
    if config._lengths_ is not None:
        return tuple(_cases_of_lengths(config._lengths_, variations))
    labels = {label for axes in config.inputs.values() for label in axes.values()}
    has_choices = bool(labels & {"choice", "num_choices"})
    has_sequence = any("sequence" in label for label in labels)
    has_text = has_sequence or any(name in TOKEN_IDS for name in config.inputs)
    longest = longest_sequence(config)
    has_past = any(name.startswith(PAST) for name in config.inputs)
    height, width = dummy_inputs.image_size(config._config, None)
    cases = [
        Case(
            batch=vary.batch if labels & {"batch", "text_batch"} else config.default_batch_size,
            sequence=_sequence(config, vary, has_sequence, longest) if has_text else None,
            choices=1 + vary.batch % 3 if has_choices else None,
            padding=_padding(vary, has_past)
            if any(name.endswith("attention_mask") for name in config.inputs)
            else None,
            decoder=fewer(min(vary.sequence, longest)) if DECODER_AXIS in labels else None,
            image=(height + vary.taller, width + vary.wider) if labels & {"height", "width"} else None,
            seconds=vary.seconds if labels & {"samples", "frames"} else None,
            images=fewer(vary.batch) if IMAGES_AXIS in labels else None,
            past=_past(config, vary, longest) if has_past else None,
            values=vary.values,
            seed=vary.seed,
        )
        for vary in variations
    ]
    return tuple(dict.fromkeys(cases))


def _cases_of_lengths(lengths: Sequence[Mapping[str, int]], variations: tuple[_Variation, ...]) -> Iterator[Case]:
    """Yield each set of lengths, then the values of the variations; the seeds differ, since the shapes may not."""
    for seed, chosen in enumerate(lengths):
        yield Case(batch=chosen.get("batch", 1), lengths=tuple(chosen.items()), seed=seed)
    few = tuple(lengths[0].items())
    for seed in range(len(lengths), len(_STANDARD)):
        yield Case(batch=lengths[0].get("batch", 1), lengths=few, seed=seed)
    for values in dict.fromkeys(vary.values for vary in variations):
        if values != "drawn":
            yield Case(batch=lengths[0].get("batch", 1), lengths=few, values=values)


def _sequence(config: OnnxConfig, vary: _Variation, dynamic: bool, longest: int) -> int:
    return max(config._shortest_sequence_, min(vary.sequence, longest)) if dynamic else config.default_sequence_length


def _padding(vary: _Variation, has_past: bool) -> Side | None:
    """Return the side of the padding: the left for a text with a cache, since no token can follow a padding on the right."""
    return "left" if vary.padding is not None and has_past else vary.padding


def _past(config: OnnxConfig, vary: _Variation, longest: int) -> int:
    """Return the number of tokens in the cache: one or more where a first step has filled it, else any number."""
    least = 1 if any(".encoder." in name for name in config.inputs) else 0
    return max(least, min(vary.past, longest - min(vary.sequence, longest)))


def fewer(number: int) -> int:
    """Return a length that differs: of the decoder from the encoder's, of the images from the texts'. So a swapped axis shows."""
    return 1 + number // 2


def longest_sequence(config: OnnxConfig) -> int:
    """Return the largest number of tokens in a row that the model's positions allow."""
    for attribute in ("max_position_embeddings", "n_positions", "max_target_positions"):
        positions = getattr(config._config, attribute, None)
        if isinstance(positions, int) and positions > 0:
            return max(1, positions - 2)  # RoBERTa and its relatives reserve two positions for padding
    return 512


def longest_decoded(config: Any) -> int:
    """Return the number of tokens that a decoder has positions for."""
    for name in ("max_target_positions", "max_decoder_position_embeddings", "max_position_embeddings", "n_positions"):
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 0:
            return length
    return 512
