"""Ids of special tokens: where they are configured, and whether the vocabulary has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

SPECIAL_TOKENS = (
    "eos_token_id",
    "bos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)
"""Names of ids in transformers' configurations that generation writes or compares with."""


def configured(names: Iterable[str], config: Any, generation: Any) -> dict[str, Any]:
    """Return the values of settings that are set. Those of the generation config take precedence, as in ``generate``.

    Args:
        names: Names of the settings.
        config: transformers' configuration of the model.
        generation: Its generation config; None for a model without one.
    """
    found = {}
    for name in names:
        own = getattr(generation, name, None)
        value = getattr(config, name, None) if own is None else own
        if value is not None:
            found[name] = value
    return found


def outside(tokens: Mapping[str, Any], size: int) -> Iterator[tuple[str, int]]:
    """Yield the name and the id of each special token that a vocabulary of a size does not have.

    Args:
        tokens: One id or several, by name.
        size: Number of tokens.
    """
    for name, value in tokens.items():
        for token in value if isinstance(value, Sequence) else [value]:
            if type(token) is int and not 0 <= token < size:
                yield name, token
