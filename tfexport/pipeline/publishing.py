"""Publishing: an export is written into a hidden folder, and becomes the target in one step.

Killed at any moment, the target is absent, or the earlier export, complete: one rename makes the folder the target. Where an
earlier export is there, the two are exchanged. A directory that cannot be renamed, such as a mount point, gets its files one by
one: see `tfexport.pipeline.in_place`. The manifest is written last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from tfexport.checkpoints.weight_files import sha256_of
from tfexport.errors import CorruptCheckpointError, OutputError, UnreadableFileError
from tfexport.files.json_files import read_object
from tfexport.files.renaming import exchange
from tfexport.pipeline import earlier_export
from tfexport.pipeline.in_place import put_in_place
from tfexport.pipeline.staging import replaced_of, stage_inside
from tfexport.pipeline.target import MODEL as MODEL
from tfexport.pipeline.target import Target, check_contents, find_target, fixed, resolved, turn

MANIFEST = earlier_export.MANIFEST
_SCHEMA = "manifest.schema.json"
_FIXED = (errno.EBUSY, errno.EXDEV)
"""Errors of a rename of a directory that is mounted, or that lies in a lower layer of an overlay."""
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_NOT_RENAMED = "it cannot be renamed"
_TRIES = 10


def publish(stage: Path, target: str | Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest, flush all files to disk, and make the staged folder the target.

    Returns:
        The manifest as written: with ``files``, the size and SHA-256 of every other file, and with a caveat where the target was
        not replaced in one step.

    Raises:
        OutputError: The disk is full, or the target cannot be replaced.
    """
    path = resolved(target)
    try:
        if stage.parent == path:
            return _publish_in_place(stage, Target(path, fixed(path) or _NOT_RENAMED), manifest)
        return _publish_whole(stage, path, manifest)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be published: {error}.") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of an exported directory; empty for the directory of another tool, which has none.

    Raises:
        CorruptCheckpointError: The manifest cannot be read, or has another form than ``manifest.schema.json``.
    """
    file = folder / MANIFEST
    if not os.path.lexists(file):
        return {}
    try:
        return read_object(file, schema=_schema(), finite=True)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(
            f"{error}. It is not a manifest of tfexport: export the checkpoint again."
        ) from error


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads((resources(__package__) / _SCHEMA).read_text()))


def _seal(stage: Path, manifest: Mapping[str, Any], caveats: Sequence[str] = ()) -> dict[str, Any]:
    """Write the manifest of a stage, and flush everything to disk."""
    (stage / MANIFEST).unlink(missing_ok=True)
    files = sorted(file for file in stage.rglob("*") if file.is_file())
    complete = {
        **manifest,
        **({"caveats": [*manifest.get("caveats", ()), *caveats]} if caveats else {}),
        "files": {
            str(file.relative_to(stage)): {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in files
        },
    }
    (stage / MANIFEST).write_text(json.dumps(complete, indent=2, allow_nan=False) + "\n")
    for file in (*files, stage / MANIFEST, *(folder for folder in stage.rglob("*") if folder.is_dir()), stage):
        _flush(file)
    return complete


def _publish_whole(stage: Path, path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Publish in one step, or file by file where it turns out that the target cannot be renamed."""
    complete = _seal(stage, manifest)
    try:
        with turn(path.parent, required=False):
            find_target(path)
            _replace(stage, path)
    except OSError as error:
        if error.errno not in _FIXED or not path.is_dir():
            raise
        with stage_inside(path) as inside:
            shutil.copytree(stage, inside, dirs_exist_ok=True)
            return _publish_in_place(inside, Target(path, fixed(path) or _NOT_RENAMED), manifest)
    with suppress(PermissionError):  # a folder that this user may write in, and not list
        _flush(path.parent)
    return complete


def _publish_in_place(stage: Path, target: Target, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Publish file by file, from a folder within the target."""
    caveat = (
        f"the directory was not replaced in one step, since {target.in_place}: its files were replaced one after the other, and "
        "the manifest last"
    )
    complete = _seal(stage, manifest, [caveat])
    with turn(target.path, required=True):
        check_contents(target)
        put_in_place(stage, target.path)
    _flush(target.path)
    return complete


def _replace(stage: Path, target: Path) -> None:
    """Make a folder the target, whatever other processes do there. An earlier export is where the stage was, or beside it."""
    for _ in range(_TRIES):
        with suppress(OSError):
            shutil.copymode(target, stage)
        try:
            stage.rename(target)  # POSIX: also over an empty directory, and over no other one
            return
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise
        with suppress(FileNotFoundError):  # the target was removed in this moment
            if not exchange(stage, target):
                _move_aside(stage, target)
            return
    raise OutputError(f"{target} could not be published: other processes replace it all the time. Export again.")


def _move_aside(stage: Path, target: Path) -> None:
    """Replace the target where directories cannot be exchanged: for a moment it is missing, and the old one is beside it."""
    old = replaced_of(stage)
    target.rename(old)
    try:
        stage.rename(target)
    except BaseException:
        old.rename(target)  # the lock file goes with this process: no later export would put it back
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
