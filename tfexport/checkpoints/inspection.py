"""HDF5 files and Keras archives looked at in a child process, before anything of them is loaded here.

A damaged file can make the HDF5 library allocate gigabytes or end the process, and an archive can unpack to terabytes.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tfexport.checkpoints.hdf5 import Hdf5Content, walk
from tfexport.checkpoints.keras_archive import ArchiveContent, read_archive
from tfexport.checkpoints.weight_files import opened
from tfexport.errors import CorruptCheckpointError, ProcessError, ProcessNotStartedError
from tfexport.processes.worker import Limits, Worker

LIMITS = Limits(memory_mib=768, seconds=60.0, start_seconds=60.0)
CPU_SECONDS = 15
"""Seconds of a processor for a small file. Damage can make the HDF5 library search for ever; a sound file takes one."""
_BYTES_A_SECOND = 20 * 2**20
"""What is unpacked in a further second: an archive may hold packed weights."""


def inspect_hdf5(*files: Path) -> list[Hdf5Content]:
    """Look at HDF5 files. See `tfexport.checkpoints.hdf5`.

    Raises:
        CorruptCheckpointError: A file cannot be opened, is damaged, refers to another file, or declares more data than fits
            into it.
    """
    return _in_a_child(_hdf5, files)


def inspect_archive(file: Path) -> ArchiveContent:
    """Look at a Keras archive. See `tfexport.checkpoints.keras_archive`.

    Raises:
        CorruptCheckpointError: The archive cannot be opened, is damaged, or unpacks to much more than its size.
    """
    found: list[ArchiveContent] = _in_a_child(_archive, (file,))
    return found[0]


def _in_a_child(look: Callable[[Path], Any], files: tuple[Path, ...]) -> list[Any]:
    for file in files:
        opened(file).close()
    if not files:
        return []
    found = []
    allowed = CPU_SECONDS + sum(file.stat().st_size for file in files) // _BYTES_A_SECOND
    try:
        child = Worker(partial(_ready, allowed), replace(LIMITS, seconds=LIMITS.seconds + allowed))
    except ProcessNotStartedError:  # no child can be had here, and what is looked for matters more than the limits
        return [look(file) for file in files]
    with child:
        for file in files:
            try:
                found.append(child(look, file))
            except ProcessError as error:
                raise CorruptCheckpointError(
                    f"{file} cannot be read ({error}): it is damaged, or was made to do harm. Fetch it again from a source that "
                    "you trust."
                ) from error
    return found


def _ready(seconds: int) -> Callable[..., Any]:
    import h5py  # noqa: F401  before the limits

    taken = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (taken + seconds, taken + seconds))
    return _call


def _call(look: Callable[[Path], Any], file: Path) -> Any:
    return look(file)


def _hdf5(file: Path) -> Hdf5Content:
    return walk(str(file), file.stat().st_size, str(file))


def _archive(file: Path) -> ArchiveContent:
    return read_archive(file)
