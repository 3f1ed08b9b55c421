"""Python that a checkpoint names by ``auto_map``. tfexport never runs it, and says so where transformers would need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfexport.errors import UnreadableFileError
from tfexport.files.json_files import read_object

_NAMING = ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json")
"""Files that may name classes of the checkpoint's own."""
NEVER = "tfexport never runs Python of a checkpoint"


def code_needed(folder: Path | None, of: str) -> str:
    """Return the sentence on a part of a checkpoint that transformers loads only with the checkpoint's own Python.

    Args:
        folder: Folder of the checkpoint; None for one that is not local.
        of: Name of the auto class that wants it, such as ``AutoTokenizer``; "" for any.
    """
    named = named_code(folder, of)
    found = "it needs Python of the checkpoint" if named is None else f"{named[0]} names the Python class {named[1]}"
    return f"{found}, and {NEVER}"


def named_code(folder: Path | None, of: str = "") -> tuple[str, str] | None:
    """Return the file of a checkpoint that names a Python class for an auto class, and the name; None where no file does."""
    return next(_named(folder, of), None) if folder is not None else None


def _named(folder: Path, of: str) -> Iterator[tuple[str, str]]:
    """Yield the files that name classes for an auto class, with the first such class."""
    for name in _NAMING:
        try:
            names = read_object(folder / name).get("auto_map")
        except UnreadableFileError:
            continue
        by_class = names if isinstance(names, Mapping) else {"AutoTokenizer": names}  # the older form is a list
        for auto_class, classes in by_class.items():
            first = next(_texts(classes), None)
            if of in auto_class and first is not None:
                yield name, first


def _texts(value: Any) -> Iterator[str]:
    yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))
