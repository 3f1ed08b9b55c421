"""Dummy inputs: from names, named axes and sizes to NumPy arrays.

Values are drawn from a generator seeded by the sizes, so that the same shape always gets the same values and two
shapes get different ones. Each modality has its own module, with `GENERATORS`: input name -> function from a `Request`
to an array. Frameworks get their tensors from these arrays at the very end (`tfexport.declarations.framework_tensors`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tfexport.dummy_inputs import audio, layout, segmentation, text, vision, vision_language
from tfexport.dummy_inputs.padding import Side, pad_rows
from tfexport.dummy_inputs.request import Arrays, Request
from tfexport.dummy_inputs.sizes import Axes, Sizes
from tfexport.dummy_inputs.text import TOKEN_IDS, Vocabulary, positions, vocabulary
from tfexport.dummy_inputs.values import Values, with_values
from tfexport.dummy_inputs.vision import image_size
from tfexport.errors import InputsError

__all__ = [
    "PAST",
    "PRESENT",
    "TOKEN_IDS",
    "Axes",
    "Side",
    "Sizes",
    "Values",
    "Vocabulary",
    "generate",
    "image_size",
    "pad_rows",
    "positions",
    "vocabulary",
    "with_values",
]

PAST, PRESENT = "past_key_values", "present"
"""A key-value cache as an input, and as an output."""

_GENERATORS: dict[str, Callable[[Request], np.ndarray]] = {
    **text.GENERATORS,
    **layout.GENERATORS,
    **vision.GENERATORS,
    **segmentation.GENERATORS,
    **audio.GENERATORS,
    **vision_language.GENERATORS,  # its images may be several a sample; else they are those of `vision`
}


def generate(
    inputs: Mapping[str, Axes], config: Any, preprocessor: Any, sizes: Sizes, *, is_pair: bool = False
) -> Arrays:
    """Arrays of every declared input but the key-value cache.

    Args:
        inputs: ordered names with their named axes.
        config: the model's configuration.
        preprocessor: a tokenizer, an image processor, a feature extractor, a processor of several, or None.
        sizes: length of each axis.
        is_pair: the second half of each row is a second sentence.

    Returns:
        Name -> array, in the order of `inputs`: int64 for ids and masks, float32 for images and audio.

    Raises:
        InputsError: an input that no generator knows.
    """
    random = np.random.default_rng(sizes.seed)
    sizes = _resolved(sizes, config, preprocessor)
    arrays: Arrays = {}
    for name, axes in inputs.items():
        if name.startswith(PAST):
            continue
        generator = _GENERATORS.get(name)
        if generator is None:
            raise InputsError(
                f"no dummy values are known for an input named {name!r}; known inputs are {', '.join(_GENERATORS)}. "
                "Override generate_dummy_inputs of the OnnxConfig."
            )
        arrays[name] = generator(Request(name, axes, sizes, config, preprocessor, random, is_pair))
    return arrays


def _resolved(sizes: Sizes, config: Any, preprocessor: Any) -> Sizes:
    """Sizes without a None: what was asked for, else the preprocessor's, else the configuration's."""
    height, width = vision.image_size(config, preprocessor)
    return replace(
        sizes,
        channels=sizes.channels or vision.image_channels(config),
        height=sizes.height or height,
        width=sizes.width or width,
        sampling_rate=sizes.sampling_rate or audio.sampling_rate(preprocessor),
    )
