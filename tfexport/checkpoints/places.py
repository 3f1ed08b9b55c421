"""Where a checkpoint lies: the path that a name stands for, and the files in a folder, looked at before anything opens one.

Every file is regular: a FIFO or a device can block or never end, under any name that a framework opens. A link leads to a file
of the folder itself or into a cache of the hub. A link elsewhere would bring a file of this machine into the export, and
whoever made the checkpoint may have chosen it. A cache names its files by the hash of their contents, so that a link cannot
choose a file there that its author does not know.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from tfexport.errors import CheckpointError, CheckpointNotFoundError
from tfexport.files.places import is_in_a_cache
from tfexport.files.reading import LARGEST_TEXT, irregular
from tfexport.text import printable, shortened

SIDECARS = (
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "bpe.codes",
    "*.spm",
    "spiece.model",
    "sentencepiece*.model",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template*",
    # sentence-transformers
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]_*/config.json",
)
"""Files beside the weights: configuration, tokenizer, processor. They are read whole, and copied into an export."""
_FOLDERS = ("variables", "assets*", "additional_chat_templates", "[0-9]_*")
"""Folders within a checkpoint from which transformers, TensorFlow or an export reads files."""
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_LONGEST_NAME = 300


def local_path(name: str, expected: str) -> Path | None:
    """Return the path that a name stands for; None where nothing has that path.

    Args:
        name: Name as the user wrote it.
        expected: What may be named, for messages.

    Raises:
        CheckpointNotFoundError: The name is empty or cannot be a path, or the path cannot be looked at or is a device or a FIFO.
    """
    if not name.strip():
        raise CheckpointNotFoundError(f"the name of the model is empty. Expected {expected}.")
    try:
        path = Path(name).expanduser()
        path.stat()
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise CheckpointNotFoundError(
            f"{shown(name)} cannot be looked at: {error.strerror}. Expected {expected}, which this user may read."
        ) from error
    except (RuntimeError, ValueError) as error:  # the home of an unknown user; a null character
        raise CheckpointNotFoundError(f"{shown(name)} is not a path: {error}. Expected {expected}.") from error
    kind = irregular(path)
    if kind is not None:
        raise CheckpointNotFoundError(f"{shown(name)} is {kind}. Expected {expected}.")
    return path


def shown(name: str) -> str:
    """Return a name as one line of bounded length, for messages."""
    return shortened(printable(name).replace("\n", "\\n"), _LONGEST_NAME)


@contextmanager
def in_utf8(location: str) -> Iterator[str]:
    """Yield a path in UTF-8 for a folder: the safetensors library opens no other. Any other location is yielded as it is."""
    try:
        location.encode()
    except UnicodeEncodeError:  # a name in bytes that are not UTF-8
        with TemporaryDirectory(prefix="tfexport-") as scratch:
            link = Path(scratch, "checkpoint")
            link.symlink_to(Path(location).absolute(), target_is_directory=True)
            yield str(link)
    else:
        yield location


def check_folder(folder: Path) -> None:
    """Check the files of a checkpoint before anything opens them. What is hidden, or lies deeper, is never opened.

    Raises:
        CheckpointError: A file may not be looked at, is not regular, is a link that leads elsewhere, or is a configuration or
            tokenizer file that is far too large.
    """
    root = Path(os.path.realpath(folder))
    for file in _entries(folder):
        try:
            file.stat()
        except PermissionError as error:
            raise _unreadable(file, error) from error
        except OSError:  # a link to nothing, or to itself: as if no file was there
            continue
        _check(file, root)
    for file in (file for pattern in SIDECARS for file in folder.glob(pattern)):
        if file.is_file() and file.stat().st_size > LARGEST_TEXT:
            raise CheckpointError(
                f"{file} has {file.stat().st_size:,} bytes, and at most {LARGEST_TEXT:,} are expected of such a file. "
                "Fetch or save it again."
            )


def _entries(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder, and in its folders from which files are read."""
    for name in _names(folder):
        yield folder / name
        if any(fnmatch(name, pattern) for pattern in _FOLDERS) and (folder / name).is_dir():
            yield from (folder / name / each for each in _names(folder / name))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _check(file: Path, root: Path) -> None:
    kind = irregular(file)
    if kind is not None:
        raise CheckpointError(
            f"{file} is {kind}, and every file of a checkpoint must be a regular file. Put the file itself in its place, or "
            "remove it."
        )
    target = Path(os.path.realpath(file))  # also of a file in a folder that is a link
    if target == root or root in target.parents or is_in_a_cache(target):
        return
    if target.is_dir() and not any(fnmatch(file.name, pattern) for pattern in _FOLDERS):
        return  # nothing is read from such a folder
    raise CheckpointError(
        f"{file} is a link to {target}, which lies outside the checkpoint and is not in a cache of the hub. Put a copy of the "
        "file in place of the link, if the checkpoint is meant to have it (cp -rL copies a folder without links)."
    )


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{path} may not be read: {error.strerror}. Expected a checkpoint that this user may read: change its permissions, or "
        "copy it."
    )
