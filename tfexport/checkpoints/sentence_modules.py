"""``modules.json`` of sentence-transformers: the folders of the modules that follow the transformer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfexport.errors import UnreadableFileError
from tfexport.files.json_files import read_json
from tfexport.files.places import inside

MODULES = "modules.json"
WEIGHTS = ("[0-9]_*/model.safetensors", "[0-9]_*/pytorch_model.bin")
"""Weights of modules that have some, such as Dense. They are copied into an export, and not opened."""
_WITHOUT_FILES = ("Normalize", "Transformer")
"""Modules that load without a folder of their own."""


def absent_modules(folder: Path) -> list[str]:
    """Return the folders that ``modules.json`` names and a checkpoint lacks, so that sentence-transformers would not load it.

    Args:
        folder: Folder of the checkpoint. It need not have a ``modules.json``.
    """
    try:
        modules = read_json(folder / MODULES) if (folder / MODULES).is_file() else []
    except UnreadableFileError:
        return []
    return [
        path for path in map(_folder_of, modules if isinstance(modules, list) else []) if path and _lacks(folder, path)
    ]


def _folder_of(module: Any) -> str:
    """Return the folder of a module that must have one; empty for any other."""
    path, kind = (module.get(name) if isinstance(module, dict) else None for name in ("path", "type"))
    if not isinstance(path, str) or not isinstance(kind, str) or kind.rpartition(".")[2] in _WITHOUT_FILES:
        return ""
    return path


def _lacks(folder: Path, path: str) -> bool:
    try:
        return not inside(folder, path).is_dir()
    except (OSError, UnreadableFileError):
        return True
