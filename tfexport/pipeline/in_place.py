"""Publishing into a directory that cannot be replaced as a whole, such as a volume of a container: file by file.

The order of the steps is such that a manifest in the directory is always true, whenever the process is killed:

1. The new files lie complete in a hidden folder within the directory, with their manifest.
2. The earlier manifest moves into a second hidden folder, and the files that it lists after it.
3. The new files move to their places, and the new manifest after them.
4. The hidden folders are removed.

Between 2 and 3 the directory does not have a manifest. A process that is killed there leaves both exports in pieces, and all the
pieces; `recover` puts the earlier one together again. Nothing but renames lies between.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tfexport.files.locked_folders import remove_tree
from tfexport.files.renaming import move
from tfexport.pipeline.earlier_export import MANIFEST, contents, listed, remove_empty
from tfexport.pipeline.target import REPLACED


def put_in_place(stage: Path, target: Path) -> None:
    """Replace the earlier export in a directory by the files of a hidden folder within it.

    Args:
        stage: The hidden folder, with the new files and their manifest.
        target: The directory.

    Raises:
        OSError: A file cannot be moved. The directory is as it was before.
    """
    earlier, new, replaced = contents(target), contents(stage), _replaced(stage)
    try:
        replaced.mkdir()
        _move_all(reversed(earlier.files), target, replaced)
        remove_empty(target, earlier.folders)
        _move_all(new.files, stage, target)
    finally:
        recover(stage, target)


def recover(stage: Path, target: Path) -> None:
    """End what `put_in_place` began: remove what it replaced, or else put it back. It may be killed, and be called again.

    Raises:
        OSError: A file cannot be moved.
    """
    replaced = _replaced(stage)
    if replaced.is_dir():
        if (stage / MANIFEST).exists():
            _put_back(stage, replaced, target)  # the stage stays until all is back: without it, nothing was begun
        else:
            remove_tree(replaced)
    if not replaced.exists():
        remove_tree(stage)


def _put_back(stage: Path, replaced: Path, target: Path) -> None:
    new, earlier = listed(stage), contents(replaced)
    _move_all((name for name in new if _is_moved(name, stage, target)), target, stage)
    remove_empty(target, _folders(new))
    _move_all(earlier.files, replaced, target)
    remove_empty(replaced, earlier.folders)
    replaced.rmdir()


def _is_moved(name: str, stage: Path, target: Path) -> bool:
    return not os.path.lexists(stage / name) and os.path.lexists(target / name)


def _folders(names: Iterable[str]) -> list[str]:
    """Return the folders of relative names, each before the folders in it."""
    return sorted({str(parent) for name in names for parent in PurePosixPath(name).parents[:-1]})


def _move_all(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        move(source / name, target / name)


def _replaced(stage: Path) -> Path:
    return stage.with_name(f"{stage.name}{REPLACED}")
