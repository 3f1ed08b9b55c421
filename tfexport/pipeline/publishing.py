"""Publishing: an export is written beside its target, and becomes the target in one step.

Killed at any moment, the target is absent, or the earlier export, complete: all files are written into a hidden folder beside it,
and one rename makes it the target. Where an earlier export is there, the two are exchanged. The manifest is written last.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfexport.checkpoints.weight_files import sha256_of
from tfexport.errors import CorruptCheckpointError, OutputError, OutputExistsError, abbreviate
from tfexport.pipeline.staging import REPLACED, stage_beside, sweep

MANIFEST = "tfexport.json"
MODEL = "model.onnx"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


@contextmanager
def staged(target: str | Path) -> Iterator[Path]:
    """Make a folder to write an export into, and remove it at the end of the block unless `publish` moved it away.

    Args:
        target: The directory that the export becomes.

    Raises:
        OutputExistsError: The target holds files that are not an earlier export's.
        OutputError: The target cannot be a directory, or nothing can be written beside it.
    """
    path = Path(target).expanduser().resolve()
    sweep(path)
    check_target(path)
    with stage_beside(path) as stage:
        yield stage


def check_target(path: Path) -> None:
    """Refuse a target that cannot be replaced without losing a file of the user.

    Raises:
        OutputExistsError: The target is a file, or a directory with files that are not an earlier export's.
        OutputError: The name of the target is that of a file.
    """
    if path.suffix == ".onnx":
        raise OutputError(
            f"{path} names a file. Give the directory that {MODEL} and the files beside it are written into."
        )
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputExistsError(f"{path} is a file. Give a directory that is new, empty, or an earlier export.")
    found = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}
    foreign = sorted(found - _listed(path))
    if foreign:
        raise OutputExistsError(
            f"{path} holds files that no earlier export put there: {abbreviate(foreign)}. They would be lost. "
            "Give a directory that is new, empty, or an earlier export."
        )


def publish(stage: Path, target: str | Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest, flush all files to disk, and make the staged folder the target.

    Returns:
        The manifest as written: with ``files``, the size and SHA-256 of every other file.

    Raises:
        OutputError: The disk is full, or the target cannot be replaced.
    """
    path = Path(target).expanduser().resolve()
    files = sorted(file for file in stage.rglob("*") if file.is_file())
    complete = dict(manifest) | {
        "files": {
            str(file.relative_to(stage)): {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in files
        }
    }
    try:
        (stage / MANIFEST).write_text(json.dumps(complete, indent=2, allow_nan=False) + "\n")
        for file in (*files, stage / MANIFEST, *(folder for folder in stage.rglob("*") if folder.is_dir()), stage):
            _flush(file)
        check_target(path)
        _replace(stage, path)
        _flush(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be published: {error}.") from error
    return complete


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of an exported directory; empty for the directory of another tool, which has none.

    Raises:
        CorruptCheckpointError: The manifest cannot be read.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CorruptCheckpointError(
            f"{file} is not a manifest that can be read: {error}. Export the checkpoint again."
        ) from error


def _listed(path: Path) -> set[str]:
    """Return the files that the manifest of an earlier export lists, and the manifest."""
    try:
        return {MANIFEST, *json.loads((path / MANIFEST).read_text())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _replace(stage: Path, target: Path) -> None:
    if not target.exists():
        stage.rename(target)
        return
    if not any(target.iterdir()):
        stage.replace(target)  # POSIX: a directory may replace an empty one
        return
    if _exchange(stage, target):
        shutil.rmtree(stage, ignore_errors=True)  # the earlier export, by now
        return
    # No atomic exchange on this platform or file system: for a moment the target is missing, and the old one is beside it.
    old = stage.with_name(f"{stage.name}{REPLACED}")
    target.rename(old)
    try:
        stage.rename(target)
    except BaseException:
        old.rename(target)  # the lock file goes with this process: no later export would put it back
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two directories in one step (renameat2, Linux); return False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(code, os.strerror(code), str(second))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
