"""Where a path leads: files that a document of others names are looked for in its folder, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from tfexport.errors import UnreadableFileError
from tfexport.files.reading import open_regular

MOST_HOLES = 16 * 2**30
"""Bytes that a sparse file may have without holding them: reading them takes seconds, and a hole can have any size."""
_BLOCK = 512  # of st_blocks, whatever the file system's own is
_SNAPSHOTS, _BLOBS = "snapshots", "blobs"


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a document in a folder names.

    A link may lead to another place of the folder, and to the blobs of the hub's cache from one of its snapshots.

    Args:
        folder: The folder of the document.
        name: The name, relative to the folder.

    Raises:
        UnreadableFileError: The name is absolute, leads out of the folder, or is not a name.
    """
    parts = PurePosixPath(name)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise UnreadableFileError(f"{name!r} is not the name of a file in {folder}")
    path = folder / name
    try:
        target = path.resolve()
        allowed = [folder.resolve(), *_blobs(folder)]
    except (OSError, RuntimeError) as error:  # a RuntimeError for links in a circle
        raise UnreadableFileError(f"{path} cannot be read: {error}") from error
    if not any(target.is_relative_to(each) for each in allowed):
        raise UnreadableFileError(f"{path} is a link that leads out of {folder}, to {target}")
    return path


def check_held(file: Path) -> int:
    """Check that a file holds about as much as its size promises, so that reading it ends. Returns its size.

    Raises:
        UnreadableFileError: The file is not a regular file, or consists of holes.
    """
    with open_regular(file) as stream:
        status = os.fstat(stream.fileno())
    if status.st_size - status.st_blocks * _BLOCK > MOST_HOLES:
        raise UnreadableFileError(
            f"{file} has {status.st_size:,} bytes, and holds {status.st_blocks * _BLOCK:,} of them: the others are holes"
        )
    return status.st_size


def held_bytes(file: Path) -> int:
    """Return the number of bytes that a file occupies on the disk; 0 for a file that cannot be looked at."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return 0
    return min(status.st_size, status.st_blocks * _BLOCK)


def expanded(path: str | Path) -> Path:
    """Return a path with the home folder in place of ``~``; the path itself where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def exists(path: Path) -> bool:
    """Return whether a path exists; False for one that cannot be looked at, such as a name that is too long."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _blobs(folder: Path) -> list[Path]:
    """Return the folder of the blobs that the snapshots of a hub's cache link to."""
    found = [each.parent for each in (folder.absolute(), *folder.absolute().parents) if each.parent.name == _SNAPSHOTS]
    return [(snapshots.parent / _BLOBS).resolve() for snapshots in found]
