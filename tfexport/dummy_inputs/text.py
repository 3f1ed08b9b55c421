"""Dummy text: token ids, masks, positions and token types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of, part_of
from tfexport.dummy_inputs.rules import USUAL_RULES, InputRules
from tfexport.errors import InputsError

TOKEN_IDS = ("input_ids", "inputs", "decoder_input_ids", "context_input_ids")
SPECIAL_TOKENS = (
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "cls_token_id",
    "sep_token_id",
    "decoder_start_token_id",
)

_MISNAMED_END = 2
"""End of text in configurations of CLIP older than transformers 4.31. The models look for the highest id instead."""


@dataclass(frozen=True)
class Vocabulary:
    """Token ids that a text can hold.

    Attributes:
        ids: Ids of ordinary tokens, int64 ``(tokens,)``.
        pad_id: Id of the padding token; None without one.
        prefix: Special tokens at the start of a row.
        suffix: Special tokens at the end of a row.
    """

    ids: np.ndarray
    pad_id: int | None
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()


def vocabulary(config: Any, preprocessor: Any, *, decoder: bool = False, rules: InputRules = USUAL_RULES) -> Vocabulary:
    """Return the vocabulary of a tokenizer, or of a configuration without a tokenizer.

    A row of an encoder-decoder ends as its tokenizer ends it: BART's classification head reads the state at the end-of-sequence
    token, which each row must hold once. A row of a decoder starts with the token that generation starts from. It has no end,
    because the decoder reads the tokens that it is to write, one step later.

    Args:
        config: the model's configuration. In a composite model, the part that reads the text is used.
        preprocessor: a tokenizer, a processor that holds one, or None.
        decoder: whether the decoder's vocabulary is returned, where it has one of its own.
        rules: the rules of the model type.

    Raises:
        InputsError: neither has a vocabulary.
    """
    holder = _holder(config, rules.decoder_parts if decoder else rules.text_parts, decoder)
    tokenizer = None if decoder and holder is not config else _tokenizer(preprocessor, rules)
    size = _size(holder, tokenizer)
    if not size:
        raise InputsError(
            f"{type(config).__name__} has no vocab_size, and no tokenizer was passed. Token ids need one of the two: pass a "
            "tokenizer as preprocessor."
        )
    special = _special_tokens(holder, tokenizer)
    prefix, suffix = _frame_of(tokenizer, size, special)
    end = _end_of_text(holder, size, suffix, rules)
    prefix, suffix = (_start_of_decoder(config, holder, size), ()) if decoder else (prefix, (*suffix, *end))
    special |= set(end)
    ids = np.array([i for i in range(size) if i not in special] or range(size), np.int64)
    return Vocabulary(ids=ids, pad_id=_pad_id(holder, tokenizer), prefix=prefix, suffix=suffix)


def _holder(config: Any, parts: tuple[str, ...], decoder: bool) -> Any:
    """Return the part of a configuration that has the vocabulary, or the configuration itself."""
    if not decoder and getattr(config, "vocab_size", None) is not None:
        return config
    found = (getattr(config, part, None) for part in parts)
    return next((part for part in found if getattr(part, "vocab_size", None)), config)


def _tokenizer(preprocessor: Any, rules: InputRules) -> Any:
    return part_of(preprocessor, rules.tokenizer, "build_inputs_with_special_tokens")


def _size(holder: Any, tokenizer: Any) -> int | None:
    """Return the number of token ids. IDEFICS has additional ones for images."""
    size = getattr(holder, "vocab_size", None)
    size = size + getattr(holder, "additional_vocab_size", 0) if size else size
    return size if tokenizer is None else min(len(tokenizer), size or len(tokenizer))


def _pad_id(holder: Any, tokenizer: Any) -> int | None:
    """Return the id of the padding token; None where it is not one of the model's tokens, such as -1 of older checkpoints."""
    own = None if tokenizer is None else tokenizer.pad_token_id
    found: int | None = first_of(holder, "pad_token_id") if own is None else own
    size = _size(holder, None)
    return found if found is None or size is None or _is_token(found, size) else None


def _special_tokens(holder: Any, tokenizer: Any) -> set[int]:
    named = {token for name in SPECIAL_TOKENS if isinstance(token := getattr(holder, name, None), int)}
    return named if tokenizer is None else named | set(tokenizer.all_special_ids)


def _frame_of(tokenizer: Any, size: int, special: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that a tokenizer puts before a text, and those that it puts after it."""
    if tokenizer is None:
        return (), ()
    ordinary = next((i for i in range(size) if i not in special), 0)
    row = list(tokenizer.build_inputs_with_special_tokens([ordinary]))
    if ordinary not in row:
        return (), ()
    at = row.index(ordinary)
    return tuple(row[:at]), tuple(row[at + 1 :])


def _end_of_text(holder: Any, size: int, suffix: tuple[int, ...], rules: InputRules) -> tuple[int, ...]:
    """Return the token that must end a text, where the tokenizer does not put it there."""
    end: Any = getattr(holder, "eos_token_id", None)
    if getattr(holder, "is_encoder_decoder", False) and _is_token(end, size):
        return () if end in suffix else (int(end),)
    if suffix or not rules.ends_with_token:
        return ()
    return (int(end) if _is_token(end, size) and end != _MISNAMED_END else size - 1,)


def _start_of_decoder(config: Any, holder: Any, size: int) -> tuple[int, ...]:
    start = first_of(config, "decoder_start_token_id")
    start = first_of(holder, "decoder_start_token_id", "bos_token_id") if start is None else start
    return (start,) if _is_token(start, size) else ()


def _is_token(token: Any, size: int) -> bool:
    return isinstance(token, int) and 0 <= token < size


def _shape(request: Request) -> tuple[int, ...]:
    """Return ``(batch, sequence)``, with choices ``(batch, choice, sequence)``, or for contexts ``(documents, sequence)``."""
    sizes = request.sizes
    if request.name.startswith("context_"):
        return (sizes.batch * int(request.config.n_docs), sizes.sequence)
    return sizes.shape(request.axes, rank=2)


def _token_ids(request: Request) -> np.ndarray:
    shape = _shape(request)
    decoder = request.name.startswith("decoder_")
    words = vocabulary(request.config, request.preprocessor, decoder=decoder, rules=request.rules)
    ids: np.ndarray = request.random.choice(words.ids, size=shape)
    length = shape[-1]
    prefix, suffix = words.prefix, words.suffix
    if len(prefix) + len(suffix) >= length:  # no room for a word between them
        has_end = getattr(request.config, "is_encoder_decoder", False)
        prefix, suffix = (prefix[:length] if decoder else ()), (suffix[:length] if has_end else ())
    ids[..., : len(prefix)] = prefix
    ids[..., length - len(suffix) :] = suffix
    return ids


def _ones(request: Request) -> np.ndarray:
    return np.ones(_shape(request), np.int64)


def positions(mask: np.ndarray) -> np.ndarray:
    """Return the position of each token in its row, padding not counted, int64 ``(batch, sequence)``.

    Padding has position 1, as in transformers' own generation.

    Args:
        mask: 1 for tokens and 0 for padding, ``(batch, sequence)``.
    """
    counted: np.ndarray = mask.cumsum(-1) - 1
    return np.where(mask == 0, 1, counted).astype(np.int64)


def _position_ids(request: Request) -> np.ndarray:
    return positions(_ones(request))


def _token_type_ids(request: Request) -> np.ndarray:
    shape = request.sizes.shape(request.axes, rank=2)
    types = np.zeros(shape, np.int64)
    # XLM and Flaubert embed "token types" in the word vocabulary and have no separate size.
    second = 1 if (getattr(request.config, "type_vocab_size", None) or 2) > 1 else 0
    if request.is_pair:
        types[..., shape[-1] // 2 :] = second
    else:
        types[:] = request.random.integers(0, second + 1, size=shape)
    return types


def _task_type_ids(request: Request) -> np.ndarray:
    types = getattr(request.config, "task_type_vocab_size", 1)
    return request.random.integers(0, types, size=request.sizes.shape(request.axes, rank=2))


def _global_attention_mask(request: Request) -> np.ndarray:
    mask = np.zeros(request.sizes.shape(request.axes, rank=2), np.int64)
    mask[..., 0] = 1  # the first token attends to all, as Longformer's classification head requires
    return mask


def _doc_scores(request: Request) -> np.ndarray:
    """Return scores of retrieved documents, float32 ``(batch, documents per sample)``."""
    shape = (request.sizes.batch, int(request.config.n_docs))
    return request.random.normal(size=shape).astype(np.float32)


GENERATORS = {
    **dict.fromkeys(TOKEN_IDS, _token_ids),
    "attention_mask": _ones,
    "decoder_attention_mask": _ones,
    "context_attention_mask": _ones,
    "doc_scores": _doc_scores,
    "position_ids": _position_ids,
    "token_type_ids": _token_type_ids,
    "task_type_ids": _task_type_ids,
    "global_attention_mask": _global_attention_mask,
}
