"""A whole model in a file of Keras 3 or tf_keras: ``.keras``, or ``.h5``. A folder that holds one is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import HDF5, KERAS_ARCHIVE, WeightFiles

_ARCHIVE = ".keras"
_HDF5 = (".h5", ".hdf5")


class KerasFile(SourceKind):
    """See `tfexport.checkpoints.source_kind.SourceKind`."""

    name = "keras"
    description = "a .keras or .h5 file"
    priority = 40
    weights_expected = "a .keras or .h5 file"
    suffixes = (_ARCHIVE, *_HDF5)
    loads_in_both = "Keras 3 runs on it"
    loaders = {
        "pt": "tfexport.backends.pytorch.keras_models:load_keras_file",
        "tf": "tfexport.backends.tensorflow.signature_models.sources:load_keras_file",
    }

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        """Return whether a path is such a file, or a folder whose weight files are all such files."""
        if source.is_file():
            return source.suffix in self.suffixes
        files = [file for found in weights for file in found.files]
        return bool(files) and all(_is_in_a_folder(file) for file in files)

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        if source.is_file():
            yield from _read(source)
            return
        for file in sorted(source.iterdir()):
            if _is_in_a_folder(file):
                yield from _read(file)


def _is_in_a_folder(file: Path) -> bool:
    """Return whether a file of a folder is a Keras file, and not the HDF5 file of transformers or a shard of it."""
    of_transformers = file.name == "tf_model.h5" or file.name.startswith("tf_model-")
    return file.suffix in KIND.suffixes and not of_transformers


def _read(file: Path) -> Iterator[WeightFiles]:
    if file.suffix == _ARCHIVE and file.is_file():
        KERAS_ARCHIVE.check(file)
        yield WeightFiles("tf", f"{file.name} (Keras)", (file,))
    elif file.suffix in _HDF5 and file.is_file():
        HDF5.check(file)
        yield WeightFiles("tf", f"{file.name} (Keras HDF5)", (file,))


KIND = KerasFile()
