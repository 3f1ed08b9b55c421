"""Packages and files that reports and measurements require, checked before any work begins."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from tfexport.errors import BenchmarkError, OutputError

MEASURING = ("psutil", "jsonschema")
PAGE = ("jinja2", "matplotlib")


def require(packages: Iterable[str]) -> None:
    """Check that packages are installed.

    Raises:
        BenchmarkError: A package is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BenchmarkError(
            f"this command requires {', '.join(missing)}, which cannot be imported. Install tfexport[benchmark]."
        )


def check_writable(files: Iterable[Path]) -> None:
    """Check that files can be written in the end.

    Raises:
        OutputError: The folder of a file cannot be created, or the path is a folder.
    """
    for file in files:
        try:
            if file.is_dir():
                raise IsADirectoryError("it is a folder; expected a file")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a"):  # an existing file keeps its content
                pass
        except OSError as error:
            raise OutputError(
                f"{file} cannot be written: {error.strerror or error}. Nothing was done; name another file."
            ) from error
        if not file.stat().st_size:
            file.unlink()
