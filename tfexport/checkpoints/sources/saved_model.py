"""A SavedModel of TensorFlow: a folder with a ``saved_model.pb``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import WeightFiles

_FILE = "saved_model.pb"


class SavedModel(SourceKind):
    """See `tfexport.checkpoints.source_kind.SourceKind`."""

    name = "saved-model"
    description = "a SavedModel folder"
    priority = 30
    weights_expected = _FILE
    loaders = {"tf": "tfexport.backends.tensorflow.signature_models.saved_models:load_saved_model"}

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        return bool((source / _FILE).is_file())

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        if (source / _FILE).is_file():
            yield WeightFiles("tf", f"{_FILE} (SavedModel)", (source / _FILE,))

    def fingerprint(self, root: Path, weights: Sequence[Path]) -> Iterable[Path]:
        return [*weights, *sorted((root / "variables").glob("*"))]


KIND = SavedModel()
