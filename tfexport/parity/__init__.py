"""Parity: compare a checkpoint in both frameworks, and the files exported from each, on the same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfexport.processes.lazy_imports import lazily

if TYPE_CHECKING:
    from tfexport.parity.api import parity as parity
    from tfexport.parity.exported_directory import validate_export as validate_export

__all__ = ["parity", "validate_export"]

__getattr__ = lazily(
    __name__,
    {
        "parity": "api",
        "validate_export": "exported_directory",
    },
)
