"""What a generator of dummy values is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.dummy_inputs.sizes import Axes, Sizes

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Request:
    """One input, to be filled.

    Attributes:
        name: the input.
        axes: its named axes.
        sizes: length of each kind of axis.
        config: the model's configuration.
        preprocessor: a tokenizer, an image processor, a feature extractor, a processor of several, or None.
        random: where values are drawn from.
        is_pair: the second half of each row is a second sentence.
    """

    name: str
    axes: Axes
    sizes: Sizes
    config: Any
    preprocessor: Any
    random: np.random.Generator
    is_pair: bool


def part_of(preprocessor: Any, kind: str, sign: str) -> Any:
    """One part of a processor (``tokenizer``, ``image_processor``, ``feature_extractor``), or the preprocessor itself.

    Args:
        preprocessor: what the checkpoint has, or None.
        kind: attribute under which a processor of several holds the part.
        sign: attribute by which such a part, on its own, is recognised.

    Returns:
        The part; None when there is none.
    """
    if preprocessor is None:
        return None
    part = getattr(preprocessor, "__dict__", {}).get(kind)  # CLIPProcessor has a deprecated property of such a name
    if part is not None:
        return part
    return preprocessor if hasattr(preprocessor, sign) else None


def first_of(config: Any, *attributes: str, parts: tuple[str, ...] = ()) -> Any:
    """The first attribute that a configuration, or one of its parts, has a value for.

    Args:
        config: the model's configuration.
        attributes: names to look for, best first.
        parts: attributes that hold configurations of a model's parts, such as ``vision_config``.

    Returns:
        The value; None when there is none.
    """
    for holder in (config, *(getattr(config, part, None) for part in parts)):
        for attribute in attributes:
            value = getattr(holder, attribute, None) if holder is not None else None
            if value is not None:
                return value
    return None
