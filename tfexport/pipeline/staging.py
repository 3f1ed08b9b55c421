"""Folders that are written beside a target, and the removal of those that killed processes left.

A folder has a lock file beside it. Its process holds the lock (flock) as long as it lives, and writes the identity of the machine
into the file. A later process removes a folder only if it certainly is a leftover of ours: the name is exactly of our form, the
lock file names this host and this boot, and the lock is free. All others are left for the user to remove: those of another host
or container on a shared volume, and those of this host before its last boot.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfexport.errors import OutputError

REPLACED = "-old"
"""End of the name of an earlier export that is moved aside while its successor is published."""
_LOCK = ".lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def stage_beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside a target, and remove it at the end of the block unless it was moved away.

    Raises:
        OutputError: Nothing can be written beside the target.
    """
    stage = target.with_name(f"{_prefix(target)}{os.getpid()}-{uuid.uuid4().hex[:8]}")
    lock_file = stage.with_name(f"{stage.name}{_LOCK}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError as error:
        raise _not_written(target, error) from error
    try:
        _make(stage, descriptor, target)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        lock_file.unlink(missing_ok=True)
        os.close(descriptor)


def sweep(target: Path) -> None:
    """Remove the folders that killed processes left beside a target, and put back an earlier export that they moved aside."""
    ours = re.compile(rf"{re.escape(_prefix(target))}\d+-[0-9a-f]{{8}}{re.escape(_LOCK)}")
    if not target.parent.is_dir():
        return
    for lock_file in target.parent.iterdir():
        if ours.fullmatch(lock_file.name):
            with _free(lock_file) as free:
                if free:
                    _clear(lock_file.with_name(lock_file.name.removesuffix(_LOCK)), target)
                    lock_file.unlink(missing_ok=True)


def machine() -> str:
    """Return the identity of this machine since its last boot: the locks of no other machine can be trusted here."""
    boot = _BOOT.read_text().strip() if _BOOT.is_file() else f"{uuid.getnode():x}"
    return f"{socket.gethostname()} {boot}"


def _prefix(target: Path) -> str:
    return f".{target.name}.tfexport-"


def _make(stage: Path, descriptor: int, target: Path) -> None:
    """Lock, name the machine, make the folder, in this order: no other process sweeps a folder whose lock names no machine."""
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, machine().encode())
        stage.mkdir()
    except OSError as error:
        raise _not_written(target, error) from error


def _not_written(target: Path, error: OSError) -> OutputError:
    return OutputError(f"nothing can be written beside {target}: {error}. Choose another directory.")


@contextmanager
def _free(lock_file: Path) -> Iterator[bool]:
    """Hold a lock of a dead process of this machine for the duration of a block; False for any other lock."""
    try:
        descriptor = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _is_dead(descriptor)
    finally:
        os.close(descriptor)


def _is_dead(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.read(descriptor, 1000).decode(errors="replace") == machine()
    except OSError:
        return False


def _clear(stage: Path, target: Path) -> None:
    replaced = stage.with_name(f"{stage.name}{REPLACED}")
    if replaced.is_dir() and not target.exists():
        replaced.rename(target)  # killed between the two renames of `tfexport.pipeline.publishing`
    for left in (stage, replaced):
        shutil.rmtree(left, ignore_errors=True)
