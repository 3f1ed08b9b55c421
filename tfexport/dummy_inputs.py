"""Dummy inputs: from names, named axes and sizes to NumPy arrays.

Values are drawn from a generator seeded by the sizes, so that the same shape always gets the same values and two
shapes get different ones. Frameworks get their tensors from these arrays at the very end (`to_framework`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfexport.errors import InputsError
from tfexport.tasks import Axes, check_framework

Side = Literal["left", "right"]
Arrays = dict[str, np.ndarray]

TOKEN_IDS = ("input_ids", "inputs", "decoder_input_ids")
PAST = "past_key_values"


@dataclass(frozen=True)
class Sizes:
    """How long each kind of axis is.

    Attributes:
        batch: samples.
        sequence: tokens, special tokens included.
        choice: candidate answers a sample, of a multiple-choice model.
    """

    batch: int
    sequence: int
    choice: int

    def of(self, label: str) -> int:
        """Length of an axis by its name.

        Raises:
            InputsError: a name that says nothing about its length.
        """
        if label == "batch":
            return self.batch
        if label in ("choice", "num_choices"):
            return self.choice
        if "sequence" in label:
            return self.sequence
        raise InputsError(
            f"no length is known for an axis named {label!r}; known names are batch, choice and those with 'sequence'. "
            "Override generate_dummy_inputs of the OnnxConfig."
        )

    def shape(self, axes: Axes, rank: int) -> tuple[int, ...]:
        """Shape of an input: axes without a name have length 1."""
        return tuple(self.of(axes[axis]) if axis in axes else 1 for axis in range(max(rank, *(a + 1 for a in axes))))


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


def vocabulary(config: Any, preprocessor: Any) -> Vocabulary:
    """The vocabulary of a tokenizer, or of a configuration when there is no tokenizer.

    Raises:
        InputsError: neither names a vocabulary.
    """
    size = getattr(config, "vocab_size", None)
    pad_id = getattr(config, "pad_token_id", None)
    special: set[int] = {
        token
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
        if isinstance(token := getattr(config, name, None), int)
    }
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    if hasattr(preprocessor, "build_inputs_with_special_tokens"):
        size = min(len(preprocessor), size or len(preprocessor))
        pad_id = preprocessor.pad_token_id if preprocessor.pad_token_id is not None else pad_id
        special |= set(preprocessor.all_special_ids)
        ordinary = next((i for i in range(size) if i not in special), 0)
        framed = list(preprocessor.build_inputs_with_special_tokens([ordinary]))
        if ordinary in framed:
            at = framed.index(ordinary)
            prefix, suffix = tuple(framed[:at]), tuple(framed[at + 1 :])
    if not size:
        raise InputsError(
            f"{type(config).__name__} has no vocab_size and no tokenizer was given, so token ids cannot be drawn."
        )
    ids = np.array([i for i in range(size) if i not in special] or range(size), np.int64)
    return Vocabulary(ids=ids, pad_id=pad_id, prefix=prefix, suffix=suffix)


def generate(
    inputs: Mapping[str, Axes], config: Any, preprocessor: Any, sizes: Sizes, *, is_pair: bool = False
) -> Arrays:
    """Arrays of every declared input but the key-value cache.

    Args:
        inputs: ordered names with their named axes.
        config: the model's configuration.
        preprocessor: a tokenizer, or None.
        sizes: length of each axis.
        is_pair: the second half of each row is a second sentence.

    Returns:
        Name -> int64 array, in the order of `inputs`.

    Raises:
        InputsError: an input that no generator knows.
    """
    random = np.random.default_rng([sizes.batch, sizes.sequence, sizes.choice])
    request = _Request(config, preprocessor, random, is_pair)
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
        arrays[name] = generator(request, sizes.shape(axes, rank=2))
    return arrays


@dataclass(frozen=True)
class _Request:
    config: Any
    preprocessor: Any
    random: np.random.Generator
    is_pair: bool


def _token_ids(request: _Request, shape: tuple[int, ...]) -> np.ndarray:
    words = vocabulary(request.config, request.preprocessor)
    ids: np.ndarray = request.random.choice(words.ids, size=shape)
    if len(words.prefix) + len(words.suffix) < shape[-1]:
        ids[..., : len(words.prefix)] = words.prefix
        ids[..., shape[-1] - len(words.suffix) :] = words.suffix
    return ids


def _ones(request: _Request, shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, np.int64)


def _token_type_ids(request: _Request, shape: tuple[int, ...]) -> np.ndarray:
    types = np.zeros(shape, np.int64)
    # XLM and Flaubert embed "token types" in the word vocabulary and have no size of their own.
    second = 1 if (getattr(request.config, "type_vocab_size", None) or 2) > 1 else 0
    if request.is_pair:
        types[..., shape[-1] // 2 :] = second
    else:
        types[:] = request.random.integers(0, second + 1, size=shape)
    return types


def _global_attention_mask(request: _Request, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, np.int64)
    mask[..., 0] = 1  # Longformer: the first token attends to all, as its classification head has it
    return mask


_GENERATORS: dict[str, Callable[[_Request, tuple[int, ...]], np.ndarray]] = {
    **dict.fromkeys(TOKEN_IDS, _token_ids),
    "attention_mask": _ones,
    "decoder_attention_mask": _ones,
    "token_type_ids": _token_type_ids,
    "global_attention_mask": _global_attention_mask,
}


def pad_rows(arrays: Mapping[str, Any], side: Side, pad_id: int | None) -> dict[str, Any]:
    """Pad each row of the attention mask by a different length, on one side.

    Row `i` loses ``i + 1`` tokens (never its last one), so that no two neighbouring rows are padded alike.

    Args:
        arrays: inputs with an ``attention_mask`` ``(..., sequence)``.
        side: where the padding stands.
        pad_id: written into the token ids there; None leaves them.

    Returns:
        A copy, padded; the same arrays when there is no mask to pad.
    """
    padded = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in arrays.items()}
    mask = padded.get("attention_mask")
    if mask is None or mask.shape[-1] < 2:
        return padded
    rows = mask.reshape(-1, mask.shape[-1])
    for index, row in enumerate(rows):
        hidden = 1 + index % (len(row) - 1)
        row[len(row) - hidden :] = 0 if side == "right" else row[len(row) - hidden :]
        row[:hidden] = 0 if side == "left" else row[:hidden]
    for name, value in padded.items():
        if name in TOKEN_IDS and pad_id is not None and value.shape == mask.shape:
            value[mask == 0] = pad_id
        elif name in ("global_attention_mask", "token_type_ids") and value.shape == mask.shape:
            value[mask == 0] = 0
    return padded


def to_framework(arrays: Mapping[str, Any], framework: Any) -> Mapping[str, Any]:
    """NumPy arrays, in nested lists and tuples too, as tensors of a framework; unchanged for None or ``"np"``.

    Raises:
        UnknownFrameworkError: a framework that tfexport does not know.
        FrameworkNotInstalledError: it is not installed.
    """
    if framework is None or getattr(framework, "value", framework) == "np":
        return arrays
    from tfexport.backends import get_backend  # the frameworks are imported there, and only there

    backend = get_backend(check_framework(framework))
    return {name: _map_arrays(value, backend.tensor) for name, value in arrays.items()}


def _map_arrays(value: Any, function: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_map_arrays(item, function) for item in value)
    return function(value) if isinstance(value, np.ndarray) else value
