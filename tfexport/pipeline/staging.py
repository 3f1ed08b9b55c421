"""Hidden folders that an export is written into, and the removal of those that killed processes left.

The folder lies beside its target, or within a target that cannot be replaced as a whole. See `tfexport.files.locked_folders` for
what is removed, and `tfexport.pipeline.in_place` for a target whose files are replaced one by one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tfexport.errors import OutputError
from tfexport.files.locked_folders import locked_folder, sweep
from tfexport.pipeline.earlier_export import discard
from tfexport.pipeline.in_place import recover
from tfexport.pipeline.target import INSIDE, REPLACED, find_target, resolved, turn

_LONGEST = 100
"""Bytes of a target's name that the name of a stage repeats: it must be shorter than a file system allows."""


@contextmanager
def staged(target: str | Path, source: Path | None = None) -> Iterator[Path]:
    """Make a folder to write an export into, and remove it at the end of the block unless it was published.

    Args:
        target: The directory that the export becomes.
        source: The checkpoint, which must not be lost; None for a model in Python.

    Raises:
        OutputExistsError: The target holds something that no earlier export put there.
        OutputError: The target cannot be a directory, or the user may not write there.
    """
    path = resolved(target)
    sweep_stages(path)
    with turn(path.parent, required=False), turn(path, required=True):
        found = find_target(path, source)
    with stage_inside(path) if found.in_place else stage_beside(path) as stage:
        yield stage


@contextmanager
def stage_beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside a target, and remove it at the end of the block unless it was moved away.

    Raises:
        OutputError: Nothing can be written beside the target.
    """
    with _stage(target, target.parent, _prefix(target), partial(_clear, target=target)) as stage:
        yield stage


@contextmanager
def stage_inside(target: Path) -> Iterator[Path]:
    """Make a hidden folder within a target. At the end of the block it is removed, and what was begun with it is undone.

    Raises:
        OutputError: Nothing can be written in the target.
    """
    with _stage(target, target, INSIDE, partial(recover, target=target)) as stage:
        yield stage


def sweep_stages(target: Path) -> None:
    """Remove the folders that killed processes left beside a target or within it, and put back what they moved aside."""
    sweep(target.parent, _prefix(target), partial(_clear, target=target))
    if target.is_dir():
        with turn(target, required=False):
            sweep(target, INSIDE, partial(recover, target=target))


def replaced_of(stage: Path) -> Path:
    """Return the path that an earlier export moves to where directories cannot be exchanged."""
    return stage.with_name(f"{stage.name}{REPLACED}")


@contextmanager
def _stage(target: Path, parent: Path, prefix: str, remove: Callable[[Path], None]) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            stage = stack.enter_context(locked_folder(parent, prefix, remove))
        except OSError as error:
            raise OutputError(
                f"nothing can be written in {parent}, where {target} is prepared: {error.strerror}. Choose another directory."
            ) from error
        yield stage


def _prefix(target: Path) -> str:
    """Return the beginning of the names of a target's stages."""
    name = os.fsencode(target.name)
    return f".{target.name if len(name) <= _LONGEST else hashlib.sha256(name).hexdigest()[:32]}.tfexport-"


def _clear(stage: Path, target: Path) -> None:
    """Remove a stage, which is a half-written export, or the earlier one that was exchanged with its successor."""
    replaced = replaced_of(stage)
    if replaced.is_dir() and not target.exists():
        replaced.rename(target)  # killed between the two renames of `tfexport.pipeline.publishing`
    for left in (stage, replaced):
        if left.is_dir():
            discard(left, target)
