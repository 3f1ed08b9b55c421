"""The request that a generator of dummy values answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.dummy_inputs.rules import InputRules
from tfexport.dummy_inputs.sizes import Axes, Sizes

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Request:
    """Request for the values of one input.

    Attributes:
        name: Name of the input.
        axes: Named axes of the input.
        sizes: Length of each kind of axis.
        config: Configuration of the model.
        preprocessor: Tokenizer, image processor, feature extractor, a processor that combines several, or None.
        random: Generator from which values are drawn.
        is_pair: Whether the second half of each row is a second sentence.
        rules: Rules of the model type.
    """

    name: str
    axes: Axes
    sizes: Sizes
    config: Any
    preprocessor: Any
    random: np.random.Generator
    is_pair: bool
    rules: InputRules


def part_of(preprocessor: Any, kind: str, sign: str) -> Any:
    """Return one part of a processor (``tokenizer``, ``image_processor``, ``feature_extractor``), or the preprocessor itself.

    Args:
        preprocessor: the checkpoint's preprocessor, or None.
        kind: attribute under which a combined processor holds the part.
        sign: attribute that identifies such a part where it is the whole preprocessor.

    Returns:
        The part; None when the preprocessor does not have it.
    """
    if preprocessor is None:
        return None
    # not getattr: CLIPProcessor has a deprecated property of that name
    part = getattr(preprocessor, "__dict__", {}).get(kind)
    if part is not None:
        return part
    return preprocessor if hasattr(preprocessor, sign) else None


def first_of(config: Any, *attributes: str, parts: tuple[str, ...] = ()) -> Any:
    """Return the first value that a configuration, or one of its parts, has for an attribute.

    Args:
        config: the model's configuration.
        attributes: names to look for, best first.
        parts: attributes that hold the configurations of a model's parts, such as ``vision_config``.

    Returns:
        The value; None when no attribute has one.
    """
    for holder in (config, *(getattr(config, part, None) for part in parts)):
        for attribute in attributes:
            value = getattr(holder, attribute, None) if holder is not None else None
            if value is not None:
                return value
    return None
