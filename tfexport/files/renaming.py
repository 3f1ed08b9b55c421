"""Renames that the standard library lacks: one that exchanges two paths, and one that never replaces what is there."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # linux/fs.h
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL)


def exchange(first: Path, second: Path) -> bool:
    """Exchange two paths in one step (renameat2, Linux); return False where the system cannot.

    Raises:
        OSError: A path does not exist, or may not be renamed.
    """
    return _renameat2(first, second, _RENAME_EXCHANGE)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder to a path at which nothing is. Nothing is replaced, not even an empty folder.

    Raises:
        FileExistsError: Something is at the new path.
        OSError: The path may not be renamed.
    """
    if _renameat2(source, target, _RENAME_NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _renameat2(first: Path, second: Path, flags: int) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))
