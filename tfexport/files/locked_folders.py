"""Folders that a process writes into and removes at its end, and the removal of those that killed processes left.

A folder has a lock file beside it, or in it. Its process holds the lock (flock) as long as it lives, and writes the identity of
the machine into the file. A later process removes a folder only if it certainly is a leftover of ours: the name is exactly of our
form, both belong to this user, the lock file names this host and this boot, and the lock is free. All others are left for the
user to remove: those of another host or container on a shared volume, and those of this host before its last boot.

A process that is killed before it has named its machine leaves an empty lock file without a folder. Such a file is removed too:
a process that loses its lock file in that moment makes another.

Earlier versions made folders without lock files. A folder of exactly our form without one is removed if it belongs to this user,
was written to since the last boot, and its number is not that of a process.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
_INSIDE = ".tfexport"
FORM = r"[1-9][0-9]{0,9}-[0-9a-f]{8}"
"""Regular expression of the name of a folder after its prefix: the number of the process, and eight random digits."""
_PROCESSES = Path("/proc")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def locked_folder(
    parent: Path, prefix: str, remove: Callable[[Path], None], *, mode: int = 0o777, inside: bool = False
) -> Iterator[Path]:
    """Make a folder, and remove it at the end of the block unless it was moved away.

    Args:
        parent: Folder in which it is made.
        prefix: Beginning of its name.
        remove: Function that removes it. As long as it leaves something, the lock file stays for a later process.
        mode: Mode of the folder, before the user's mask.
        inside: Keep the lock file in the folder and not beside it: such a folder cannot be published.

    Raises:
        OSError: The folder cannot be made.
    """
    folder = parent / f"{prefix}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    if inside:
        folder.mkdir(mode)
    lock_file = _lock_of(folder, inside)
    descriptor = _take(lock_file)
    try:
        if not inside:
            folder.mkdir(mode)
        yield folder
    finally:
        try:
            with suppress(OSError):  # what cannot be removed stays for a later process, with its lock file
                _end(folder, lock_file, remove)
        finally:
            os.close(descriptor)


def sweep(parent: Path, prefix: str, remove: Callable[[Path], None], *, inside: bool = False) -> None:
    """Remove the folders that killed processes left, as far as it is certain that they are ours.

    Args:
        parent: Folder in which they lie. One that cannot be listed is left as it is.
        prefix: Beginning of their names.
        remove: Function that removes one.
        inside: Whether their lock files lie in them.
    """
    end = "" if inside else LOCK
    form = re.compile(rf"{re.escape(prefix)}{FORM}({re.escape(LOCK)})?")
    try:
        with os.scandir(parent) as entries:
            found = {entry.name for entry in entries if form.fullmatch(entry.name)}
    except OSError:
        return
    if not inside:
        for name in (name for name in found if not name.endswith(LOCK) and f"{name}{LOCK}" not in found):
            if _is_of_a_dead_process(parent / name, int(name.removeprefix(prefix).partition("-")[0])):
                with suppress(OSError):
                    remove(parent / name)
    for name in (name for name in found if name.endswith(end)):
        folder = parent / name.removesuffix(end)
        with _dead(folder, _lock_of(folder, inside)) as dead:
            if dead:
                with suppress(OSError):
                    _end(folder, _lock_of(folder, inside), remove)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as this user may."""
    shutil.rmtree(folder, ignore_errors=True)


def machine() -> str:
    """Return the identity of this machine since its last boot: the locks of no other machine can be trusted here."""
    boot = _BOOT.read_text().strip() if _BOOT.is_file() else f"{uuid.getnode():x}"
    return f"{socket.gethostname()} {boot}"


def _lock_of(folder: Path, inside: bool) -> Path:
    return folder / f"{_INSIDE}{LOCK}" if inside else folder.with_name(f"{folder.name}{LOCK}")


def _take(lock_file: Path) -> int:
    """Make a lock file, lock it, and name this machine in it. Return its descriptor."""
    while True:
        descriptor = os.open(lock_file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks, or a full disk
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not os.fstat(descriptor).st_nlink:  # swept before it was locked
                os.close(descriptor)
                continue
            os.write(descriptor, machine().encode())
        return descriptor


def _end(folder: Path, lock_file: Path, remove: Callable[[Path], None]) -> None:
    remove(folder)
    if not os.path.lexists(folder):
        lock_file.unlink(missing_ok=True)


def _is_of_a_dead_process(folder: Path, process: int) -> bool:
    """Return whether a folder without a lock file is a leftover of this user and this boot, whose process has ended."""
    try:
        found = folder.lstat()
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return is_ours and found.st_mtime >= _booted() and not _PROCESSES.joinpath(str(process)).exists()
    except (OSError, ValueError, StopIteration):  # no /proc: nothing is known about processes
        return False


def _booted() -> float:
    """Return the time of the last boot, in seconds since 1970."""
    lines = _PROCESSES.joinpath("stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))


@contextmanager
def _dead(folder: Path, lock_file: Path) -> Iterator[bool]:
    """Hold a lock of a dead process of this machine and user for the duration of a block; False for any other lock."""
    try:
        descriptor = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        yield _is_ours(descriptor, folder) and _is_free(descriptor, folder)
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int, folder: Path) -> bool:
    """Return whether lock and folder belong to this user, and the folder is not a link to another one."""
    try:
        owners = {os.fstat(descriptor).st_uid, folder.lstat().st_uid if os.path.lexists(folder) else os.geteuid()}
    except OSError:
        return False
    return owners == {os.geteuid()} and not folder.is_symlink()


def _is_free(descriptor: int, folder: Path) -> bool:
    """Lock a lock file, and return whether it names this machine, or no machine and has no folder."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named = os.read(descriptor, 1000).decode(errors="replace")
        return named == machine() or not (named or os.path.lexists(folder))
    except OSError:
        return False
