"""Dummy text: token ids, masks, token types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of, part_of
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

# Of RAG the generator reads all text but the question, which is needed only to retrieve documents.
_TEXT_PARTS = ("text_config", "encoder", "generator")
_DECODER_PARTS = ("decoder", "generator", "text_config")
_POOLED_AT_THE_END = ("clip_text_model", "groupvit_text_model", "owlvit_text_model")
_MISNAMED_END = 2
"""Configurations of CLIP older than transformers 4.31 name this end of text; the models look for the highest id."""


@dataclass(frozen=True)
class Vocabulary:
    """What a token id may be.

    Attributes:
        ids: ids that stand for ordinary tokens.
        pad_id: the padding token's id; None when there is none.
        prefix: special tokens that open a row.
        suffix: special tokens that close a row.
    """

    ids: np.ndarray
    pad_id: int | None
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()


def vocabulary(config: Any, preprocessor: Any, *, decoder: bool = False) -> Vocabulary:
    """The vocabulary of a tokenizer, or of a configuration when there is no tokenizer.

    A row of an encoder-decoder is closed as its tokenizer closes it: BART's classification head reads the state at the
    end-of-sequence token, of which each row must have one. So is a text of CLIP and its kin: they read the state at
    its end, and without one at the first token, which sees no other. A row of a decoder opens with the token that generation
    starts from, and is not closed: what the decoder reads is what it is to write, one token later.

    Args:
        config: the model's configuration; of a composite model the part that reads the text is looked at.
        preprocessor: a tokenizer, a processor that has one, or None.
        decoder: the decoder's vocabulary, where it has one of its own.

    Raises:
        InputsError: neither names a vocabulary.
    """
    parts = _DECODER_PARTS if decoder else _TEXT_PARTS
    holder = config
    if decoder or getattr(config, "vocab_size", None) is None:
        found = [getattr(config, part, None) for part in parts]
        holder = next((part for part in found if getattr(part, "vocab_size", None)), config)
    size = getattr(holder, "vocab_size", None)
    size = size + getattr(holder, "additional_vocab_size", 0) if size else size  # IDEFICS' tokens for images
    pad_id = first_of(holder, "pad_token_id")
    special: set[int] = {token for name in SPECIAL_TOKENS if isinstance(token := getattr(holder, name, None), int)}
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    tokenizer = _tokenizer(preprocessor)
    if tokenizer is not None and not (decoder and holder is not config):
        size = min(len(tokenizer), size or len(tokenizer))
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else pad_id
        special |= set(tokenizer.all_special_ids)
        ordinary = next((i for i in range(size) if i not in special), 0)
        framed = list(tokenizer.build_inputs_with_special_tokens([ordinary]))
        if ordinary in framed:
            at = framed.index(ordinary)
            prefix, suffix = tuple(framed[:at]), tuple(framed[at + 1 :])
    if not size:
        raise InputsError(
            f"{type(config).__name__} has no vocab_size and no tokenizer was given, so token ids cannot be drawn."
        )
    end = getattr(holder, "eos_token_id", None)
    if getattr(holder, "is_encoder_decoder", False) and _is_token(end, size) and end not in suffix:
        suffix = (*suffix, int(end))  # type: ignore[arg-type]
    if not suffix and getattr(holder, "model_type", None) in _POOLED_AT_THE_END:
        last = int(end) if end is not None and _is_token(end, size) and end != _MISNAMED_END else size - 1
        suffix = (last,)
        special.add(last)
    if decoder:
        start = first_of(config, "decoder_start_token_id")
        start = first_of(holder, "decoder_start_token_id", "bos_token_id") if start is None else start
        prefix, suffix = ((start,) if _is_token(start, size) else ()), ()
    ids = np.array([i for i in range(size) if i not in special] or range(size), np.int64)
    return Vocabulary(ids=ids, pad_id=pad_id, prefix=prefix, suffix=suffix)


def _tokenizer(preprocessor: Any) -> Any:
    """The tokenizer; of RAG's two that of the generator."""
    sign = "build_inputs_with_special_tokens"
    found = part_of(preprocessor, "tokenizer", sign)
    return part_of(preprocessor, "generator", sign) if found is None else found


def _is_token(token: Any, size: int) -> bool:
    return isinstance(token, int) and 0 <= token < size


def _shape(request: Request) -> tuple[int, ...]:
    """``(batch, sequence)``, with choices ``(batch, choice, sequence)``; of RAG's contexts ``(documents, sequence)``."""
    sizes = request.sizes
    if request.name.startswith("context_"):
        return (sizes.batch * int(request.config.n_docs), sizes.sequence)
    return sizes.shape(request.axes, rank=2)


def _token_ids(request: Request) -> np.ndarray:
    shape = _shape(request)
    decoder = request.name.startswith("decoder_")
    words = vocabulary(request.config, request.preprocessor, decoder=decoder)
    ids: np.ndarray = request.random.choice(words.ids, size=shape)
    length = shape[-1]
    prefix, suffix = words.prefix, words.suffix
    if len(prefix) + len(suffix) >= length:  # no room for a word between them
        closed = getattr(request.config, "is_encoder_decoder", False)
        prefix, suffix = (prefix[:length] if decoder else ()), (suffix[:length] if closed else ())
    ids[..., : len(prefix)] = prefix
    ids[..., length - len(suffix) :] = suffix
    return ids


def _ones(request: Request) -> np.ndarray:
    return np.ones(_shape(request), np.int64)


def positions(mask: np.ndarray) -> np.ndarray:
    """Where each token of a mask ``(batch, sequence)`` stands among those of its row that are no padding, int64.

    Padding stands at position 1, as transformers' own generation has it.
    """
    counted: np.ndarray = mask.cumsum(-1) - 1
    return np.where(mask == 0, 1, counted).astype(np.int64)


def _position_ids(request: Request) -> np.ndarray:
    return positions(_ones(request))


def _token_type_ids(request: Request) -> np.ndarray:
    shape = request.sizes.shape(request.axes, rank=2)
    types = np.zeros(shape, np.int64)
    # XLM and Flaubert embed "token types" in the word vocabulary and have no size of their own.
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
    mask[..., 0] = 1  # Longformer: the first token attends to all, as its classification head has it
    return mask


def _doc_scores(request: Request) -> np.ndarray:
    """Scores of the documents that RAG's retriever found ``(batch, documents a sample)``, float32."""
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
