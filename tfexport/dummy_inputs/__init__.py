"""Dummy inputs: NumPy arrays for names, named axes and sizes.

Values are drawn from a generator that the sizes seed. One shape always has the same values, and two shapes have different
ones. Each modality has a module with `GENERATORS`, which maps an input name to a function from a `Request` to an array.
`tfexport.declarations.framework_tensors` converts the arrays to a framework's tensors at the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tfexport.dummy_inputs import audio, layout, segmentation, text, vision, vision_language
from tfexport.dummy_inputs.padding import Side, pad_rows
from tfexport.dummy_inputs.request import Arrays, Request
from tfexport.dummy_inputs.rules import USUAL_RULES, InputRules
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
    "InputRules",
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
"""Names of a key-value cache as an input and as an output."""

_GENERATORS: dict[str, Callable[[Request], np.ndarray]] = {
    **text.GENERATORS,
    **layout.GENERATORS,
    **vision.GENERATORS,
    **segmentation.GENERATORS,
    **audio.GENERATORS,
    **vision_language.GENERATORS,  # its pixel_values may hold several images per sample; otherwise they are those of `vision`
}


def generate(
    inputs: Mapping[str, Axes],
    config: Any,
    preprocessor: Any,
    sizes: Sizes,
    *,
    is_pair: bool = False,
    rules: InputRules = USUAL_RULES,
) -> Arrays:
    """Return an array for every declared input except the key-value cache.

    Args:
        inputs: names in order, with their named axes.
        config: the model's configuration.
        preprocessor: a tokenizer, an image processor, a feature extractor, a processor that combines several, or None.
        sizes: length of each axis.
        is_pair: whether the second half of each row is a second sentence.
        rules: the rules of the model type.

    Returns:
        Arrays by name, in the order of `inputs`: int64 for ids and masks, float32 for images and audio.

    Raises:
        InputsError: no generator knows an input.
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
                f"tfexport has no dummy values for an input named {name!r}. It knows {', '.join(_GENERATORS)}. "
                "Override generate_dummy_inputs in the OnnxConfig."
            )
        arrays[name] = generator(Request(name, axes, sizes, config, preprocessor, random, is_pair, rules))
    return arrays


def _resolved(sizes: Sizes, config: Any, preprocessor: Any) -> Sizes:
    """Return sizes without None: the requested one, else the preprocessor's, else the configuration's."""
    height, width = vision.image_size(config, preprocessor)
    return replace(
        sizes,
        channels=sizes.channels or vision.image_channels(config),
        height=sizes.height or height,
        width=sizes.width or width,
        sampling_rate=sizes.sampling_rate or audio.sampling_rate(preprocessor),
    )
