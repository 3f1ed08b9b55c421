"""One writer of the files that a user names (``--output``, ``--html``, ``--csv``): whole or not at all.

A regular file is replaced in one step, and keeps its mode. A link stays, and the file that it leads to is replaced. A device or
a FIFO (``/dev/stdout``) is written through: replacing it by a file would destroy it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tfexport.errors import OutputError

_LINKS = 40
"""Links that lead to each other, after which Linux gives up."""
_WRITING = os.O_WRONLY | os.O_RDWR
_STANDING: dict[int, int] = {}
"""See `standing_for`."""
_NOT_REPLACEABLE = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a rename over a file that may be written in place: a file that is mounted, or lies in a folder of another user."""


@contextmanager
def standing_for(descriptors: Mapping[int, int]) -> Iterator[None]:
    """Let other descriptors stand for standard ones in the names of files (``/dev/stdout``) for the duration of a block.

    Args:
        descriptors: The user's descriptors, by the ones that are redirected meanwhile.
    """
    before = dict(_STANDING)
    _STANDING.update(descriptors)
    try:
        yield
    finally:
        _STANDING.clear()
        _STANDING.update(before)


def write_text(file: Path, text: str, *, what: str) -> None:
    """Write a text file in UTF-8.

    Args:
        file: The file. Its folder is created where it does not exist.
        text: The text.
        what: Description of the file for messages, such as ``the report``.

    Raises:
        OutputError: The file cannot be written. A regular file is as it was before.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        descriptor = _descriptor(file)
        if descriptor is not None:
            _write_all(_STANDING.get(descriptor, descriptor), content)
            return
        target = file.resolve()
        if target.exists() and not target.is_file():
            _write_through(target, content)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, content)
    except (OSError, RuntimeError) as error:  # a RuntimeError for a link to itself
        raise OutputError(f"{what} {file} cannot be written: {_reason(error)}. Name another file.") from error


def check_writable(files: Iterable[Path]) -> None:
    """Check, before the work, that files can be written after it. Nothing is created, opened or changed.

    Raises:
        OutputError: A path is a folder, or the user may not write there.
    """
    for file in files:
        try:
            descriptor = _descriptor(file)
            problem = _problem(file.resolve()) if descriptor is None else _problem_of(descriptor)
        except (OSError, RuntimeError) as error:
            problem = _reason(error)
        if problem:
            raise OutputError(f"{file} cannot be written: {problem}. Nothing was done; name another file.")


def _problem(target: Path) -> str | None:
    if target.is_dir():
        return "it is a folder; expected a file"
    if target.exists():
        return None if os.access(target, os.W_OK) else "you may not write to it"
    folder = next(parent for parent in target.parents if parent.exists())
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"you may not write in {folder}"


def _descriptor(file: Path) -> int | None:
    """Return the descriptor that a path names, such as ``/dev/stdout`` or ``/dev/fd/3``; None for the path of a file.

    It is not opened anew: that fails for a socket, and would overwrite what others have written to a file by this descriptor.
    """
    for _ in range(_LINKS):
        folder = os.path.realpath(file.parent)
        if file.name.isdecimal() and folder in (f"/proc/{os.getpid()}/fd", "/dev/fd"):
            return int(file.name)
        if not file.is_symlink():
            return None
        file = Path(folder, file.readlink())
    return None


def _problem_of(descriptor: int) -> str | None:
    return (
        None
        if fcntl.fcntl(_STANDING.get(descriptor, descriptor), fcntl.F_GETFL) & _WRITING
        else "it is open for reading only"
    )


def _write_through(target: Path, content: bytes) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder; expected a file")
    # A FIFO that nobody reads is an error with O_NONBLOCK, and would block for ever without it.
    descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.set_blocking(descriptor, True)
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _replace(target: Path, content: bytes) -> None:
    partial = target.with_name(
        f".tfexport-{uuid.uuid4().hex[:12]}.partial"
    )  # short: the target's name may be the longest
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            _write_all(descriptor, content)
            if target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
        finally:
            os.close(descriptor)
        partial.replace(target)
    except OSError as error:
        if error.errno in _NOT_REPLACEABLE and target.is_file():
            _write_in_place(target, content)
            return
        raise
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _write_in_place(target: Path, content: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _reason(error: OSError | RuntimeError) -> str:
    return getattr(error, "strerror", None) or str(error)
