"""Packages that reports and measurements require, checked before any work begins."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from tfexport.errors import BenchmarkError

MEASURING = ("psutil",)
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
