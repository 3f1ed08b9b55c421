"""The weight files of a checkpoint. They are opened for their headers; no weight is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from tfexport.checkpoints.framework import Framework
from tfexport.errors import CorruptCheckpointError, UnreadableFileError
from tfexport.files.reading import open_regular


@dataclass(frozen=True)
class WeightFiles:
    """Weights of one framework, in one file or in shards.

    Attributes:
        framework: Framework that wrote the weights.
        why: Description of the evidence for the user: ``tf_model.h5``, ``model.safetensors (format tf)``.
        files: Paths of the files that hold the weights, the index first.
    """

    framework: Framework
    why: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Format:
    """A file format that is recognised by its first bytes.

    Attributes:
        magic: First bytes of each file.
        description: Description for messages.
    """

    magic: bytes
    description: str

    def check(self, file: Path) -> None:
        """Refuse a file whose name promises this format and whose first bytes are others.

        Raises:
            CorruptCheckpointError: The file has another format.
        """
        with opened(file) as stream:
            if stream.read(len(self.magic)) != self.magic:
                raise CorruptCheckpointError(
                    f"{file} is not {self.description}, though its name says so. Fetch or save it again."
                )


HDF5 = Format(b"\x89HDF\r\n\x1a\n", "an HDF5 file")
KERAS_ARCHIVE = Format(b"PK\x03\x04", "a Keras archive (zip)")


def opened(file: Path) -> BufferedReader:
    """Open a file of a checkpoint for reading.

    Raises:
        CorruptCheckpointError: The file may not be read, or is not a regular file.
    """
    try:
        return open_regular(file)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(
            f"{error}. Expected a regular file that this user may read: change its permissions, or fetch it again."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
