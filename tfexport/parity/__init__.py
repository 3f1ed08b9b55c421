"""Parity: a checkpoint in both frameworks, and the files made from each, on the same inputs, with a verdict."""

from tfexport.processes.lazy_imports import lazily

__all__ = ["parity", "validate_export"]

__getattr__ = lazily(
    __name__,
    {
        "parity": "api",
        "validate_export": "exported_directory",
    },
)
