"""The structure of a ``.keras`` archive, a zip file with a configuration and weights, read in bounds before it is loaded."""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO

from tfexport.checkpoints.hdf5 import ALWAYS_ALLOWED, LARGEST_EXPANSION, walk
from tfexport.errors import CorruptCheckpointError
from tfexport.files.reading import LARGEST_TEXT

CONFIG = "config.json"
MOST_MEMBERS = 10_000
"""Members of an archive. Keras writes three, and one per table of a layer that looks words up."""
_HDF5_WEIGHTS = "model.weights.h5"
_NUMPY_WEIGHTS = "model.weights.npz"
_ENCRYPTED = 1
_BLOCK = 2**20


@dataclass(frozen=True)
class ArchiveContent:
    """What an archive holds.

    Attributes:
        values: Number of values in its weights.
        arrays: Number of arrays in its weights.
        config: The configuration of the model, as JSON.
    """

    values: int
    arrays: int
    config: str


def read_archive(file: Path) -> ArchiveContent:
    """Read a ``.keras`` archive, without its weights' values.

    Raises:
        CorruptCheckpointError: The archive is damaged, lacks a member, has members that reach out of it, or unpacks to much more
            than its size.
    """
    try:
        with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = _members(archive, file)
            config = _read(archive, members, CONFIG, file, LARGEST_TEXT)
            return ArchiveContent(*_stored(archive, members, file), config.decode("utf-8"))
    except CorruptCheckpointError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,  # a damaged member
        OSError,
        EOFError,
        RuntimeError,  # an encrypted member
        NotImplementedError,  # an unknown method
        ValueError,  # a name or a size that zipfile does not understand, or a configuration that is not UTF-8
        OverflowError,
        MemoryError,
    ) as error:
        reason = str(error).strip() or type(error).__name__
        raise _refused(file, reason) from error


def _members(archive: zipfile.ZipFile, file: Path) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members of an archive by name."""
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise _refused(file, f"it has {len(listed):,} members, and at most {MOST_MEMBERS:,} are expected")
    size = file.stat().st_size
    unpacked = sum(member.file_size for member in listed)
    if unpacked > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * size):
        raise _refused(file, f"it unpacks to {unpacked:,} bytes, and has {size:,}")
    members = {member.filename: member for member in listed}
    if len(members) < len(listed):
        raise _refused(file, "two of its members have one name")
    for name, member in members.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in member.orig_filename:
            raise _refused(file, f"its member {name} reaches out of it")
        if member.flag_bits & _ENCRYPTED:
            raise _refused(file, f"its member {name} is encrypted")
    return members


def _read(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, file: Path, largest: int
) -> bytes:
    """Read a member, and no more than its bound: its header may say less than it holds."""
    if name not in members:
        raise _refused(file, f"the archive does not hold {name!r}")
    with archive.open(members[name]) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise _refused(file, f"its member {name} has more than {largest:,} bytes")
    return content


def _stored(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], file: Path) -> tuple[int, int]:
    """Return the number of values, and of arrays, in the weights of an archive."""
    for name, count in ((_HDF5_WEIGHTS, _in_hdf5), (_NUMPY_WEIGHTS, _in_numpy)):
        if name in members:
            size = members[name].file_size
            if members[name].compress_type == zipfile.ZIP_STORED:
                with archive.open(members[name]) as stream:
                    return count(stream, size, f"{name} in {file}")
            with _unpacked(archive, members[name], file) as unpacked:
                return count(unpacked, size, f"{name} in {file}")
    raise _refused(file, f"it does not hold weights. Expected a {_HDF5_WEIGHTS} or a {_NUMPY_WEIGHTS}")


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path) -> IO[bytes]:
    """Return a member as a temporary file without a name, since a packed member cannot be read out of order."""
    with ExitStack() as stack:
        unpacked = stack.enter_context(tempfile.TemporaryFile())
        with archive.open(member) as stream:
            rest = member.file_size + 1
            while block := stream.read(min(_BLOCK, rest)):
                unpacked.write(block)
                rest -= len(block)
        if rest != 1:
            raise _refused(file, f"its member {member.filename} does not have the size that it declares")
        unpacked.seek(0)
        stack.pop_all()
    return unpacked


def _in_hdf5(stream: IO[bytes], size: int, name: str) -> tuple[int, int]:
    found = walk(stream, size, name)
    return found.values, found.arrays


def _in_numpy(stream: IO[bytes], size: int, name: str) -> tuple[int, int]:
    """Return both numbers of an archive of NumPy arrays: their headers say them, and their bytes must be there."""
    import numpy as np

    found = arrays_found = 0
    with zipfile.ZipFile(io.BytesIO(stream.read()) if not stream.seekable() else stream) as arrays:
        for member in arrays.infolist():
            with arrays.open(member) as array:
                version = np.lib.format.read_magic(array)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(array)
            values = prod(shape)
            if (
                dtype.hasobject
                or values * dtype.itemsize > member.file_size
                or member.file_size > LARGEST_EXPANSION * size
            ):
                raise CorruptCheckpointError(
                    f"{name} declares more values than it holds, at {member.filename}. Fetch or save it again."
                )
            found += values
            arrays_found += 1
    return found, arrays_found


def _refused(file: Path, reason: str) -> CorruptCheckpointError:
    return CorruptCheckpointError(
        f"{file} is not a readable Keras archive ({reason}): it is truncated, or was not saved by Keras. Fetch or save it again."
    )
