"""One way to open a file that others wrote: regular and of bounded size, since a device or a FIFO can block or never end."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from tfexport.errors import UnreadableFileError

LARGEST_TEXT = 64 * 2**20
"""Bytes of a configuration, an index or a manifest that are read at most. The largest that we know, a tokenizer's, has 34 MB."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(file: Path) -> BufferedReader:
    """Open a regular file for reading. Links are followed: caches of the hub consist of links.

    Raises:
        UnreadableFileError: The file does not exist, may not be read, or is not a regular file.
    """
    try:
        _check_regular(file, file.stat().st_mode)  # first: opening a device can act on it
        descriptor = os.open(
            file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )  # a FIFO in its place by now does not block
        try:
            _check_regular(file, os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:  # a ValueError for a name that holds a null character
        raise UnreadableFileError(f"{file} cannot be read: {_reason(error)}") from error


def is_regular(file: Path) -> bool:
    """Return whether a path is a regular file, or a link to one; False for a path that cannot be looked at."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError):
        return False


def irregular(path: Path) -> str | None:
    """Return what a path is, such as "a FIFO"; None for a regular file, a folder, and a path that cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _kind(mode)


def read_bytes(file: Path, largest: int = LARGEST_TEXT) -> bytes:
    """Read a whole regular file.

    Args:
        file: The file.
        largest: Number of bytes that the file may have.

    Raises:
        UnreadableFileError: The file cannot be opened (see `open_regular`), or is larger.
    """
    with open_regular(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            content = b"" if size > largest else stream.read(largest + 1)
        except OSError as error:
            raise UnreadableFileError(f"{file} cannot be read: {_reason(error)}") from error
    size = max(size, len(content))  # a file of /proc says that it is empty
    if size > largest:
        raise UnreadableFileError(f"{file} has {size:,} bytes, and at most {largest:,} are expected of such a file")
    return content


def read_text(file: Path, largest: int = LARGEST_TEXT) -> str:
    """Read a whole text file in UTF-8.

    Raises:
        UnreadableFileError: The file cannot be opened, is larger than `largest` bytes, or is not UTF-8.
    """
    return decoded(read_bytes(file, largest), str(file))


def decoded(content: bytes, name: str) -> str:
    """Return bytes as text in UTF-8.

    Args:
        content: The bytes.
        name: Name of the file for messages.

    Raises:
        UnreadableFileError: The bytes are not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{name} is not a text in UTF-8: byte {error.start} is wrong") from error


def _check_regular(file: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnreadableFileError(f"{file} cannot be read: it is {_kind(mode)}, and a regular file is expected")


def _kind(mode: int) -> str:
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "not a regular file")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return "this user may not read it"
    return getattr(error, "strerror", None) or str(error)
