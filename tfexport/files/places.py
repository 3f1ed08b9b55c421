"""Where a path leads: files that a document of others names are looked for in its folder, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from tfexport.errors import UnreadableFileError
from tfexport.files.reading import open_regular

MOST_HOLES = 16 * 2**30
"""Bytes that a sparse file may have without holding them: reading them takes seconds, and a hole can have any size."""
_BLOCK = 512  # of st_blocks, whatever the file system's own is


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a document in a folder names.

    A link may lead to another place of the folder, or to the blobs of a cache of the hub.

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
        is_allowed = target.is_relative_to(folder.resolve()) or is_in_a_cache(target)
    except (OSError, RuntimeError) as error:  # a RuntimeError for links in a circle
        raise UnreadableFileError(f"{path} cannot be read: {error}") from error
    if not is_allowed:
        raise UnreadableFileError(f"{path} is a link that leads out of {folder}, to {target}")
    return path


def is_in_a_cache(target: Path) -> bool:
    """Return whether a file lies among the blobs of a model in a cache of huggingface_hub, to which its snapshots link.

    A cache names its blobs by the hash of their contents: a link cannot choose one that its author does not know.

    Args:
        target: Path of the file, without links.
    """
    return target.parent.name == "blobs" and (target.parent.parent / "snapshots").is_dir()


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
    """Return a path with the home folder in place of ``~``; the path itself where the user does not exist."""
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
