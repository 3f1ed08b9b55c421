"""Tokenizers and other preprocessors of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.errors import InputsError

PreprocessorKind = Literal["auto", "tokenizer", "feature_extractor", "image_processor", "processor"]
PREPROCESSOR_KINDS: tuple[str, ...] = get_args(PreprocessorKind)

_AUTO_CLASSES = {
    "tokenizer": "AutoTokenizer",
    "feature_extractor": "AutoFeatureExtractor",
    "image_processor": "AutoImageProcessor",
    "processor": "AutoProcessor",
}
_AUTO_ORDER = ("processor", "tokenizer", "image_processor", "feature_extractor")
# What the auto classes raise for a checkpoint that has no such preprocessor, or one that cannot be read.
_NOT_THERE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError)


@dataclass(frozen=True)
class Preprocessor:
    """What was found.

    Attributes:
        value: the tokenizer or processor; None when the checkpoint has none that loads.
        kind: which auto class loaded it, or why there is none.
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

    A checkpoint without one exports all the same: shapes and ranges then come from its configuration.

    Raises:
        InputsError: an unknown kind, or a kind asked for by name that cannot be loaded.
    """
    check_preprocessor_kind(kind)
    if kind != "auto":
        try:
            return Preprocessor(_load(checkpoint, kind), kind)
        except _NOT_THERE as error:
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise InputsError(f"{checkpoint.source} has no {kind} that loads: {reason[0]}") from error
    for candidate in _AUTO_ORDER:
        try:
            return Preprocessor(_load(checkpoint, candidate), candidate)
        except _NOT_THERE:
            continue
    return Preprocessor(None, "none that loads; inputs are drawn from the configuration")


def _load(checkpoint: Checkpoint, kind: str) -> Any:
    import transformers

    auto_class = getattr(transformers, _AUTO_CLASSES[kind])
    try:
        found = auto_class.from_pretrained(checkpoint.location, cache_dir=checkpoint.cache_dir)
    except Exception as error:
        if type(error) is Exception:  # what the tokenizers library raises for a file that it cannot read
            raise OSError(str(error)) from error
        raise
    if not hasattr(found, "save_pretrained"):  # False, of a PLBart tokenizer without its vocabulary (transformers 4.57)
        raise OSError(f"{_AUTO_CLASSES[kind]} gives {found!r}")
    return found
