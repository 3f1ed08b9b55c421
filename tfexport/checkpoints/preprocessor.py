"""Tokenizers and other preprocessors of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tfexport.checkpoints import transformers_api
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.errors import InputsError

PreprocessorKind = Literal["auto", "tokenizer", "feature_extractor", "image_processor", "processor"]
PREPROCESSOR_KINDS: tuple[str, ...] = get_args(PreprocessorKind)

_AUTO_ORDER = ("processor", "tokenizer", "image_processor", "feature_extractor")


@dataclass(frozen=True)
class Preprocessor:
    """The preprocessor of a checkpoint, or the reason for which there is none.

    Attributes:
        value: Tokenizer or processor; None when the checkpoint has none that loads.
        kind: Kind of auto class that loaded it, or the reason for which there is none.
    """

    value: Any
    kind: str


def check_preprocessor_kind(kind: object) -> PreprocessorKind:
    """Return the kind of preprocessor that a user named, validated.

    Raises:
        InputsError: `kind` is not one of `PREPROCESSOR_KINDS`.
    """
    if kind not in PREPROCESSOR_KINDS:
        raise InputsError(
            f"{kind!r} is not a kind of preprocessor. Expected one of {', '.join(PREPROCESSOR_KINDS)} "
            "(--preprocessor, preprocessor=...)."
        )
    return cast(PreprocessorKind, kind)


def load_preprocessor(checkpoint: Checkpoint, kind: str = "auto") -> Preprocessor:
    """Load the preprocessor of a checkpoint.

    A checkpoint without one is exported too: shapes and ranges then come from its configuration.

    Raises:
        InputsError: The kind is unknown, or was named and cannot be loaded.
    """
    check_preprocessor_kind(kind)
    if kind != "auto":
        try:
            return Preprocessor(_load(checkpoint, kind), kind)
        except transformers_api.NotLoadedError as error:
            raise InputsError(f"{checkpoint.source} has no {kind} that loads: {error}") from error
    for candidate in _AUTO_ORDER:
        try:
            return Preprocessor(_load(checkpoint, candidate), candidate)
        except transformers_api.NotLoadedError:
            continue
    return Preprocessor(None, "none that loads; inputs are drawn from the configuration")


def _load(checkpoint: Checkpoint, kind: str) -> Any:
    return transformers_api.load_preprocessor(kind, checkpoint.location, checkpoint.cache_dir)
