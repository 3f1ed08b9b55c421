"""A preset folder of KerasHub: a configuration in two files beside weights in HDF5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import WeightFiles
from tfexport.errors import UnreadableFileError
from tfexport.files.json_files import read_json


class KerasHubPreset(SourceKind):
    """See `tfexport.checkpoints.source_kind.SourceKind`. Its weights are an HDF5 file, which the kind of Keras files finds."""

    name = "keras-hub"
    description = "a preset folder of KerasHub"
    priority = 10  # before a checkpoint of transformers, whose configuration has the same name
    weights_expected = "model.weights.h5"
    loads_in_both = "Keras 3 runs on it"
    loaders = {
        "pt": "tfexport.backends.pytorch.keras_models:load_keras_hub_preset",
        "tf": "tfexport.backends.tensorflow.signature_models.sources:load_keras_hub_preset",
    }

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        """Return whether the configuration names a class, and the metadata a version of Keras."""
        try:
            metadata, config = (read_json(source / name) for name in ("metadata.json", "config.json"))
        except UnreadableFileError:  # no such file, or not JSON
            return False
        if not isinstance(metadata, dict) or not isinstance(config, dict):
            return False
        return bool(metadata.get("keras_version")) and bool(config.get("class_name"))

    def fingerprint(self, root: Path, weights: Sequence[Path]) -> Iterable[Path]:
        return [root / "config.json", *weights, root / "task.json"]


KIND = KerasHubPreset()
