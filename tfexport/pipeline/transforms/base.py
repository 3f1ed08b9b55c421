"""The members of a transform."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tfexport.graph import OnnxFiles
from tfexport.validation import Tolerance


class Transform(Protocol):
    """Makes a variant of the files of an export, which is compared with the source as the files themselves are.

    A variant keeps the contract of its file: names, order, dtypes and axes of inputs and outputs.
    """

    @property
    def name(self) -> str:
        """Name of the transform, in options and in the manifest: ``float16``."""

    def variant(self, name: str) -> str:
        """Return the name of a file's variant, both without ``.onnx``: ``model_fp16`` for ``model``."""

    def apply(self, files: Mapping[str, OnnxFiles], folder: Path) -> Mapping[str, OnnxFiles]:
        """Write the variant of each file into a folder, and leave the files as they are.

        Args:
            files: The files of the export, by name without ``.onnx``.
            folder: The folder of the files and of their variants.

        Returns:
            The variants, by the names of the files that they are made from. `tfexport.graph.read_files` describes a file.

        Raises:
            ConversionError: A file has no such variant.
        """

    def tolerance(self, base: Tolerance) -> Tolerance:
        """Return the tolerance of the variants, from that of the files."""
