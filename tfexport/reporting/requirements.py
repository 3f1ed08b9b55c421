"""What reports and measurements need beside the frameworks, checked before anything is done."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from tfexport.errors import BenchmarkError, OutputError

MEASURING = ("psutil", "jsonschema")
PAGE = ("jinja2", "matplotlib")


def require(packages: Iterable[str]) -> None:
    """Refuse to begin without a package that is needed.

    Raises:
        BenchmarkError: it is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BenchmarkError(f"this needs {', '.join(missing)}, not installed here. Install tfexport[benchmark].")


def check_writable(files: Iterable[Path]) -> None:
    """Refuse to begin what could not be written down in the end.

    Raises:
        OutputError: a file's folder cannot be made, or the name is a folder's.
    """
    for file in files:
        try:
            if file.is_dir():
                raise IsADirectoryError("it is a folder, and a file's name is expected")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a"):  # what is there stays there
                pass
        except OSError as error:
            raise OutputError(f"{file} cannot be written: {error.strerror or error}. Nothing was done.") from error
        if not file.stat().st_size:
            file.unlink()
