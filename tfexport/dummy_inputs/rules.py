"""Rules for dummy inputs that a model type has and its configuration does not state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InputRules:
    """Rules for the dummy inputs of one model type.

    Attributes:
        text_parts: Attributes of the configuration that may hold the part that reads the text, best first.
        decoder_parts: Attributes of the configuration that may hold the decoder, best first.
        tokenizer: Attribute of a processor that holds the tokenizer.
        ends_with_token: Whether every text ends with an end-of-text token, because the model reads the state at it.
        distinct_values: Names of inputs that are never filled with equal numbers.
    """

    text_parts: tuple[str, ...] = ("text_config", "encoder")
    decoder_parts: tuple[str, ...] = ("decoder", "text_config")
    tokenizer: str = "tokenizer"
    ends_with_token: bool = False
    distinct_values: tuple[str, ...] = ()


USUAL_RULES = InputRules()
"""Rules of most model types."""
