"""The directory that an export becomes: its name, what it holds, and how it can be replaced. All is checked before the work."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tfexport.errors import OutputError, OutputExistsError, abbreviate
from tfexport.files.locked_folders import FORM, LOCK
from tfexport.pipeline.earlier_export import contents

MODEL = "model.onnx"
INSIDE = ".tfexport-"
"""Beginning of the name of a folder that is written within the target."""
REPLACED = "-old"
"""End of the name of the folder that receives an earlier export while its successor takes its place."""
_MOUNTS = Path("/proc/self/mountinfo")
_LOST_AND_FOUND = "lost+found"
_EXPECTED = "Give a directory that is new, empty, or an earlier export."
_SHOWN = 3
_WAIT_S, _SHORT_WAIT_S, _LOOK_S = 60.0, 5.0, 0.05


@dataclass(frozen=True)
class Target:
    """The directory that an export becomes.

    Attributes:
        path: Its path, without links.
        in_place: Why the directory itself cannot be replaced, so that its files are replaced one after the other; empty where
            the whole directory is replaced in one step.
    """

    path: Path
    in_place: str


def find_target(target: str | Path, source: Path | None = None) -> Target:
    """Find out how a directory can be replaced, and refuse one that cannot be replaced without a loss for the user.

    Args:
        target: The directory.
        source: The checkpoint, which must not be lost either.

    Raises:
        OutputExistsError: The target is not a directory, or holds something that no earlier export put there.
        OutputError: The name cannot be that of a directory, or the user may not write there.
    """
    path = resolved(target)
    try:
        if source is not None:
            _check_source(path, source.resolve())
        if not os.path.lexists(path):
            _check_folder_for(path)
            return Target(path, "")
        _check_kind(path)
        found = Target(path, fixed(path))
        check_contents(found)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be used: {error.strerror}. Give a directory that you may read and write."
        ) from error
    return found


def resolved(target: str | Path) -> Path:
    """Return the path of a target without links.

    Raises:
        OutputError: The name cannot be that of a directory.
    """
    path = _without_links(target)
    if path == path.parent:
        raise OutputError(f"{path} is the root of the file system. Give another directory.")
    if path.suffix == ".onnx":
        raise OutputError(
            f"{path} names a file. Give the directory that {MODEL} and the files beside it are written into."
        )
    return path


def resolved_file(target: str | Path) -> Path:
    """Return the path of a file to write without links. A link stays, and the file that it leads to is replaced.

    Raises:
        OutputError: The path cannot be that of a file, or is that of a folder or a device.
    """
    path = _without_links(target)
    try:
        if not os.path.lexists(path):
            _check_folder_for(path)
        elif not path.is_file():
            raise OutputError(f"{path} is not a file that can be replaced. Name the ONNX file to write.")
    except OSError as error:
        raise OutputError(f"{path} cannot be used: {error.strerror}. Name another file.") from error
    return path


def check_contents(target: Target) -> None:
    """Refuse a directory whose contents cannot be replaced without a loss for the user.

    Raises:
        OutputExistsError: It holds something that no earlier export put there.
        OutputError: The user may not remove the earlier export.
        OSError: The directory cannot be listed.
    """
    found = contents(target.path)
    foreign = [name for name in found.foreign if not (target.in_place and _stays(target.path, name))]
    if foreign:
        listed = abbreviate(foreign[:_SHOWN]) + (" and more" if len(foreign) > _SHOWN else "")
        raise OutputExistsError(
            f"{target.path} holds files that no earlier export put there: {listed}. They would be lost. {_EXPECTED}"
        )
    for name in ("", *found.folders) if target.in_place or found.files else ():
        if not _may_empty(target.path / name):
            raise OutputError(
                f"{target.path / name} cannot be replaced: you may not remove files from it. Give another directory."
            )


def fixed(path: Path) -> str:
    """Return why a directory that exists cannot be replaced by another one; empty where it can be."""
    if _is_mount(path):
        return "it is a mount point"
    if _is_working_directory(path):
        return "it is the working directory"
    if not _writable(path.parent) or not _may_rename(path):
        return "the folder that it lies in is protected"
    return ""


@contextmanager
def turn(folder: Path, *, required: bool) -> Iterator[None]:
    """Wait for the other processes that publish in a folder, and let them wait for the duration of a block.

    Args:
        folder: The folder. A file system without locks lets nobody wait.
        required: Whether it is an error when another process does not end.

    Raises:
        OutputError: Another process has held the folder for a minute.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # not there yet, or may not be listed
        yield
        return
    try:
        if not _locked(descriptor, _WAIT_S if required else _SHORT_WAIT_S) and required:
            raise OutputError(
                f"another process has been publishing in {folder} for more than {_WAIT_S:.0f} s. Wait for it to end, and "
                "export again."
            )
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)
        except OSError:  # a file system without locks
            return True
        else:
            return True
    return False


def _without_links(target: str | Path) -> Path:
    if target == "":
        raise OutputError("the target has an empty name. Name what is to be written.")
    try:
        path = Path(target).expanduser().resolve()
        str(path).encode("utf-8")
        path.exists()
    except UnicodeEncodeError as error:
        raise OutputError(
            f"{target} is a path that is not UTF-8, and ONNX Runtime opens no such file. Give another one."
        ) from error
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself; no such user; a null character
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{target} cannot be the name of a target: {reason}. Give another one.") from error
    return path


def _check_source(path: Path, source: Path) -> None:
    if path == source or path in source.parents:
        raise OutputExistsError(f"{path} holds the checkpoint {source}, which would be lost. {_EXPECTED}")


def _check_folder_for(path: Path) -> None:
    """Check that a directory can be made."""
    folder = next(parent for parent in path.parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be made: {folder} is not a folder. Give another directory.")
    if not _writable(folder):
        raise OutputError(f"{path} cannot be made: you may not write in {folder}. Give another directory.")
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > longest for name in path.relative_to(folder).parts):
        raise OutputError(f"{path} cannot be made: a name has at most {longest} bytes there. Give another directory.")


def _check_kind(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISDIR(mode):
        kind = "a file" if stat.S_ISREG(mode) else "not a directory"
        raise OutputExistsError(f"{path} is {kind}. {_EXPECTED}")


def _stays(path: Path, name: str) -> bool:
    """Return whether an entry is not touched where files are replaced one by one: a stage, or the folder of ``fsck``."""
    return _is_stage(name) or (name == _LOST_AND_FOUND and _is_mount(path))


def _is_stage(name: str) -> bool:
    return re.fullmatch(rf"{re.escape(INSIDE)}{FORM}({re.escape(LOCK)}|{re.escape(REPLACED)})?", name) is not None


def _is_mount(path: Path) -> bool:
    if os.path.ismount(path):
        return True
    try:  # a part of the same disk that is mounted once more has the device of its parent
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    places = {line.split(b" ")[4] for line in lines if line.count(b" ") > 4}
    return os.fsencode(path) in {_unescaped(place) for place in places}


def _unescaped(place: bytes) -> bytes:
    r"""Return a path of the table of mounts, in which blanks and line feeds are ``\040`` and ``\012``."""
    for code in (b"040", b"011", b"012", b"134"):
        place = place.replace(b"\\" + code, bytes([int(code, 8)]))
    return place


def _is_working_directory(path: Path) -> bool:
    try:
        return path.samefile(Path.cwd())
    except OSError:
        return False


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _may_empty(folder: Path) -> bool:
    """Return whether this user may remove the files that a folder holds."""
    if not _writable(folder):
        return False
    with os.scandir(folder) as entries:
        return _free_of_sticky(folder) or all(
            entry.stat(follow_symlinks=False).st_uid == os.geteuid() for entry in entries
        )


def _may_rename(path: Path) -> bool:
    return _free_of_sticky(path.parent) or path.stat().st_uid == os.geteuid()


def _free_of_sticky(folder: Path) -> bool:
    """Return whether a folder lets this user remove also what belongs to others (the sticky bit, as of ``/tmp``)."""
    found = folder.stat()
    return not found.st_mode & stat.S_ISVTX or os.geteuid() in (0, found.st_uid)
