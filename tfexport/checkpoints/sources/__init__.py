"""The kinds of sources: one module per kind, each with its `SourceKind` as `KIND`. Adding a kind edits no other module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import WeightFiles
from tfexport.errors import CheckpointNotFoundError


def in_order(kinds: Iterable[SourceKind]) -> tuple[SourceKind, ...]:
    """Sort kinds into the order of recognition.

    Raises:
        ValueError: Two kinds have the same priority or the same name, so that the order or a manifest would be ambiguous.
    """
    found = tuple(sorted(kinds, key=lambda kind: kind.priority))
    for first, second in pairwise(found):
        if first.priority == second.priority:
            raise ValueError(f"{first} and {second} have the same priority, {first.priority}")
    if len({kind.name for kind in found}) < len(found):
        raise ValueError(f"two kinds of source have one name: {found}")
    return found


KINDS = in_order(import_module(f"{__name__}.{module.name}").KIND for module in iter_modules(__path__))
"""All kinds, in the order of recognition."""


def weights_in(path: Path) -> tuple[WeightFiles, ...]:
    """Return the weight files in a path, of every kind: the evidence of the framework.

    Raises:
        CorruptCheckpointError: A weight file or an index is truncated, or is not what its name says.
    """
    return tuple(found for kind in KINDS if kind.is_on_disk for found in kind.find_weights(path))


def kind_of_path(path: Path, weights: Sequence[WeightFiles], name: str) -> SourceKind:
    """Return the kind of a path: the first one that recognises it.

    Args:
        path: A path that exists.
        weights: Weight files in it.
        name: Name of the path as the user wrote it.

    Raises:
        CheckpointNotFoundError: No kind recognises the path.
    """
    on_disk = [kind for kind in KINDS if kind.is_on_disk]
    for kind in on_disk:
        if kind.recognises(path, weights):
            return kind
    reasons = filter(None, (kind.near_miss(path, name) for kind in on_disk))
    raise CheckpointNotFoundError(next(reasons, f"{name} is not a checkpoint. Expected {expected()}."))


def kind_of_object(value: Any) -> SourceKind:
    """Return the kind of a live object: the first one that recognises it."""
    return next(kind for kind in KINDS if not kind.is_on_disk and kind.recognises(value, ()))


def hub_kind() -> SourceKind:
    """Return the kind of a name that is not a path."""
    return next(kind for kind in KINDS if kind.is_on_hub)


def looks_like_a_path(name: str) -> bool:
    """Return whether a name that does not exist was meant as a path, and not as an id on the hub."""
    suffixes = {suffix for kind in KINDS for suffix in kind.suffixes}
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).suffix in suffixes


def expected() -> str:
    """Return the kinds that lie on disk or on the hub as a phrase, for messages and help texts. Those on the hub are first."""
    return _alternatives(kind for kind in sorted(KINDS, key=lambda kind: not kind.is_on_hub) if kind.is_on_disk)


def self_declaring() -> str:
    """Return the kinds whose models declare themselves by a signature, as a phrase for messages."""
    return _alternatives(kind for kind in KINDS if kind.declares_itself)


def _alternatives(kinds: Iterable[SourceKind]) -> str:
    *others, last = (kind.description for kind in kinds)
    return f"{', '.join(others)}, or {last}"
