"""Padding of rows, by a different length per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tfexport.dummy_inputs.text import TOKEN_IDS, Vocabulary

Side = Literal["left", "right", "to few"]
"""Side of the padding. ``to few`` is on the right and leaves one to three tokens per row."""

_MASK = "attention_mask"
_TEXTS = ("", "decoder_", "context_")
"""Prefixes of the inputs of each text. Each text has its own mask and its own padding."""
_FEW = 3
_ZERO_WHERE_PADDED = ("global_attention_mask", "token_type_ids")


def pad_rows(
    arrays: Mapping[str, Any],
    side: Side,
    pad_id: int | None,
    *,
    words: Vocabulary | None = None,
    decoder_words: Vocabulary | None = None,
) -> dict[str, Any]:
    """Pad each row of each attention mask by a different length, on one side.

    Row `i` loses ``i + 1`` tokens, or all except one to three, but never its last token: neighbouring rows differ. The
    decoder's text loses one more, so that its rows differ from the encoder's. Special tokens at the start or end of a row move
    to the ends of the remaining tokens, where a tokenizer puts them.

    Args:
        arrays: inputs with an ``attention_mask`` ``(..., sequence)``. The names of the decoder's text and of retrieved contexts
            start with ``decoder_`` and ``context_``.
        side: the side of the padding.
        pad_id: the token id of the padding; None leaves the token ids as they are.
        words: the vocabulary, for its special tokens.
        decoder_words: the decoder's vocabulary, for its special tokens and its padding token.

    Returns:
        Padded copies; the same values where an input has no mask.
    """
    padded = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in arrays.items()}
    for text in _TEXTS:
        mask = padded.get(f"{text}{_MASK}")
        if mask is None or mask.shape[-1] < 2:
            continue
        vocabulary = decoder_words if text == "decoder_" else words
        hidden = _hide(mask, side, more=1 if text == "decoder_" else 0)
        fill = vocabulary.pad_id if text == "decoder_" and vocabulary is not None else pad_id
        for name, value in padded.items():
            if not isinstance(value, np.ndarray) or _text_of(name) != text or value.ndim != mask.ndim:
                continue
            seen = mask[..., -value.shape[-1] :]  # a mask also covers the tokens in the cache
            if seen.shape != value.shape:
                continue
            if name in TOKEN_IDS:
                if seen.shape == mask.shape:
                    _frame(value, hidden, side, vocabulary)
                if fill is not None:
                    value[seen == 0] = fill
            elif name in _ZERO_WHERE_PADDED:
                value[seen == 0] = 0
    return padded


def _text_of(name: str) -> str:
    return next((text for text in _TEXTS if text and name.startswith(text)), "")


def _hide(mask: np.ndarray, side: Side, more: int) -> list[int]:
    """Write zeros into a mask, in place, and return their number per row."""
    length = mask.shape[-1]
    counts = []
    for index, row in enumerate(mask.reshape(-1, length)):
        turn = (index + more) % min(_FEW, length - 1) if side == "to few" else (index + more) % (length - 1)
        hidden = length - 1 - turn if side == "to few" else 1 + turn
        row[slice(hidden) if side == "left" else slice(length - hidden, None)] = 0
        counts.append(hidden)
    return counts


def _frame(ids: np.ndarray, hidden: list[int], side: Side, words: Vocabulary | None) -> None:
    """Move the special tokens at the padded end of each row, in place, to the end of its remaining tokens."""
    special = () if words is None else words.prefix if side == "left" else words.suffix
    length = ids.shape[-1]
    for row, count in zip(ids.reshape(-1, length), hidden, strict=True):
        kept = length - count
        if side != "left" and special and tuple(row[length - len(special) :]) == special:
            room = special[:kept]
            row[kept - len(room) : kept] = room
        elif side == "left" and special and tuple(row[: len(special)]) == special:
            room = special[:kept]
            row[count : count + len(room)] = room
