"""Tokenizers and other preprocessors of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tfexport.checkpoints import transformers_api
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.remote_code import code_needed
from tfexport.errors import InputsError
from tfexport.keywords import shown
from tfexport.text import printable, shortened

PreprocessorKind = Literal["auto", "tokenizer", "feature_extractor", "image_processor", "processor"]
PREPROCESSOR_KINDS: tuple[str, ...] = get_args(PreprocessorKind)

_AUTO_ORDER = ("processor", "tokenizer", "image_processor", "feature_extractor")
_FILES = {
    "processor": ("processor_config.json",),
    "tokenizer": ("tokenizer_config.json", "tokenizer.json"),
    "image_processor": ("preprocessor_config.json",),
    "feature_extractor": ("preprocessor_config.json",),
}
"""Files of which one is there where a checkpoint has a preprocessor."""
_LONGEST_REASON = 300


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
    if not isinstance(kind, str) or kind not in PREPROCESSOR_KINDS:
        raise InputsError(
            f"{shown(kind)} is not a kind of preprocessor. Expected one of {', '.join(PREPROCESSOR_KINDS)} "
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
    reasons = []
    for candidate in _AUTO_ORDER:
        try:
            return Preprocessor(_load(checkpoint, candidate), candidate)
        except transformers_api.NotLoadedError as error:
            reasons += [f"{candidate}: {error}"] if _has(checkpoint, candidate) else []
    why = f" ({shortened(printable('; '.join(reasons)), _LONGEST_REASON)})" if reasons else ""
    return Preprocessor(None, f"none that loads{why}; inputs are drawn from the configuration")


def _load(checkpoint: Checkpoint, kind: str) -> Any:
    try:
        config = None if checkpoint.model_type is None else checkpoint.config
        return transformers_api.load_preprocessor(kind, checkpoint.location, checkpoint.cache_dir, config)
    except transformers_api.CodeNeededError as error:
        raise transformers_api.NotLoadedError(
            code_needed(checkpoint.path, transformers_api.PREPROCESSORS[kind])
        ) from error


def _has(checkpoint: Checkpoint, kind: str) -> bool:
    """Return whether a checkpoint means to have a preprocessor of a kind, so that the user wants to know why it does not load."""
    return checkpoint.path is not None and any((checkpoint.path / name).is_file() for name in _FILES[kind])
