"""An earlier export in a directory: what of it is ours to replace, and its removal.

The files that its manifest lists are ours, and the folders that hold them. Everything else is the user's, also an empty folder, a
link, or a device: it is never followed and never removed.
"""

from __future__ import annotations

import os
import uuid
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfexport.errors import UnreadableFileError
from tfexport.files.json_files import read_object
from tfexport.files.locked_folders import remove_tree
from tfexport.files.renaming import move

MANIFEST = "tfexport.json"
_ENOUGH = 9
"""Foreign entries after which a walk ends: a home folder may hold millions."""


@dataclass(frozen=True)
class Contents:
    """The contents of a directory. All names are relative to it.

    Attributes:
        files: Files that its manifest lists, and the manifest, which is the last one.
        folders: Folders that hold listed files, each before the folders in it.
        foreign: Entries that are neither; only the first few of them, unless all were asked for.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    foreign: tuple[str, ...]


def contents(folder: Path, *, every: bool = False) -> Contents:
    """Look through a directory. Only folders in which the manifest lists files are opened, and no link is followed.

    Args:
        folder: The directory.
        every: Find all foreign entries, not only the first few.

    Raises:
        OSError: The directory cannot be listed.
    """
    names = listed(folder)
    ordered = sorted(names)
    files: list[str] = []
    folders: list[str] = []
    foreign: list[str] = []
    waiting = [""]
    while waiting and (every or len(foreign) < _ENOUGH):
        inside = waiting.pop()
        try:
            entries = os.scandir(folder / inside)
        except OSError:
            if not inside:
                raise
            foreign.append(inside)
            continue
        if inside:
            folders.append(inside)
        with entries:
            for entry in entries:
                name = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_file(follow_symlinks=False) and name in names:
                    files.append(name)
                elif entry.is_dir(follow_symlinks=False) and _holds_listed(name, ordered):
                    waiting.append(name)
                else:
                    foreign.append(name)
                    if not every and len(foreign) >= _ENOUGH:
                        break
    return Contents(tuple(sorted(files, key=lambda name: name == MANIFEST)), tuple(folders), tuple(foreign))


def discard(folder: Path, home: Path) -> None:
    """Remove an export that was replaced, or a half-written one, which has no manifest.

    The manifest goes last, so that a later process can go on where this one was killed. What the user put in while the export was
    replaced moves to its successor.

    Args:
        folder: The directory to remove.
        home: Directory that receives what is not ours.

    Raises:
        OSError: A file may not be removed.
    """
    if not listed(folder):
        remove_tree(folder)
        return
    found = contents(folder, every=True)
    _move_home(folder, found.foreign, home)
    remove_files(folder, found)
    with suppress(OSError):  # something was put in just now
        folder.rmdir()


def remove_files(folder: Path, found: Contents) -> None:
    """Remove the files of an export, the manifest last, and the folders in it that are empty then.

    Raises:
        OSError: A file may not be removed.
    """
    for name in found.files:
        (folder / name).unlink(missing_ok=True)
    remove_empty(folder, found.folders)


def remove_empty(folder: Path, names: Sequence[str]) -> None:
    """Remove those of some folders that are empty, the inner ones first.

    Args:
        folder: The directory that they lie in.
        names: Their relative names, each before the folders in it.
    """
    for name in reversed(names):
        with suppress(OSError):
            (folder / name).rmdir()


def listed(folder: Path) -> frozenset[str]:
    """Return the names that the manifest of a directory lists, and its own; none where no manifest can be read."""
    try:
        files = read_object(folder / MANIFEST).get("files")
    except UnreadableFileError:
        return frozenset()
    return frozenset({MANIFEST, *files}) if isinstance(files, dict) else frozenset()


def _holds_listed(folder: str, ordered: Sequence[str]) -> bool:
    place = bisect_left(ordered, f"{folder}/")
    return place < len(ordered) and ordered[place].startswith(f"{folder}/")


def _move_home(folder: Path, names: Iterable[str], home: Path) -> None:
    for name in names:
        target = home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            move(folder / name, target)
        except FileExistsError:
            move(folder / name, target.with_name(f"{target.name}.kept-{uuid.uuid4().hex[:8]}"))
