"""The exported directory: staged beside its target, published in one step, with a manifest as the commit marker.

Killed at any moment, the target is either absent, or the old one, complete: everything is written into a hidden
folder beside it, and one rename (an exchange, when an earlier export is there) makes it the target.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfexport.checkpoints.weight_files import sha256_of
from tfexport.errors import CorruptCheckpointError, OutputError, OutputExistsError, abbreviate

MANIFEST = "tfexport.json"
MODEL = "model.onnx"

_OLD = "-old"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


@contextmanager
def staged(target: str | Path) -> Iterator[Path]:
    """A folder to write an export into; removed at the end of the block unless `publish` took it away.

    Args:
        target: the directory that the export becomes.

    Raises:
        OutputExistsError: the target holds files that are not an earlier export's.
        OutputError: the target cannot be a directory, or nothing can be written beside it.
    """
    path = Path(target).expanduser().resolve()
    _sweep(path)
    check_target(path)
    stage = stage_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
    except OSError as error:
        raise OutputError(f"nothing can be written beside {path}: {error}.") from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def stage_beside(path: Path) -> Path:
    """A hidden name beside a target that no other export uses, and that tells which process does."""
    return path.with_name(f"{_stage_prefix(path)}{os.getpid()}-{uuid.uuid4().hex[:8]}")


def check_target(path: Path) -> None:
    """Refuse a target that cannot be replaced without losing something of the user's.

    Raises:
        OutputExistsError: it is a file, or a directory that holds files which are not an earlier export's.
        OutputError: its name says that a file is meant.
    """
    if path.suffix == ".onnx":
        raise OutputError(f"{path} names a file. Give the directory that {MODEL} and its companions are written into.")
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
    """Write the manifest, flush everything to disk, and make the staged folder the target.

    Returns:
        The manifest as written: with ``files``, size and SHA-256 of every other file.

    Raises:
        OutputError: the disk is full, or the target cannot be replaced.
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
    """What the manifest of an exported directory says; empty for one of another tool, which has none.

    Raises:
        CorruptCheckpointError: it cannot be read.
    """
    file = folder / MANIFEST
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CorruptCheckpointError(f"{file} is no manifest that can be read: {error}.") from error


def _listed(path: Path) -> set[str]:
    """Files that the manifest of an earlier export lists, and the manifest."""
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
    # No atomic exchange on this platform or file system: for a moment there is no target, and the old one is beside it.
    old = stage.with_name(f"{stage.name}{_OLD}")
    target.rename(old)
    stage.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two directories in one step (renameat2, Linux); False where that cannot be done."""
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


def _sweep(target: Path) -> None:
    """Clear away what exports of the same target left behind when they were killed."""
    prefix = _stage_prefix(target)
    if not target.parent.is_dir():
        return
    for left in target.parent.iterdir():
        owner = left.name.removeprefix(prefix).split("-")[0]
        if not left.name.startswith(prefix) or not owner.isdigit() or _alive(int(owner)):
            continue
        if left.name.endswith(_OLD) and not target.exists():
            left.rename(target)  # killed between the two renames of `_replace`
        else:
            shutil.rmtree(left, ignore_errors=True)


def _stage_prefix(target: Path) -> str:
    return f".{target.name}.tfexport-"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
