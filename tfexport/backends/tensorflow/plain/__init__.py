"""Models without a configuration of transformers: Keras files and presets, SavedModels, and live models."""

from __future__ import annotations

from typing import Any

from tfexport.backends.base import LoadedModel
from tfexport.backends.tensorflow.plain.functions import is_function, plain_function
from tfexport.backends.tensorflow.plain.keras_files import load_keras_file, load_preset, only_keras_file
from tfexport.backends.tensorflow.plain.keras_models import is_keras_model, plain_model
from tfexport.backends.tensorflow.plain.model import PlainModel, with_options
from tfexport.backends.tensorflow.plain.saved_models import load_saved_model
from tfexport.checkpoint import Checkpoint
from tfexport.errors import UnsupportedCheckpointError
from tfexport.probing import declare
from tfexport.signature import with_shapes

__all__ = ["PlainModel", "load_plain"]


def load_plain(checkpoint: Checkpoint) -> LoadedModel:
    """Load what is no checkpoint of transformers.

    Raises:
        CheckpointError: it cannot be read, holds code that is not trusted, or weights alone.
        UnsupportedError: it takes what ONNX has no counterpart for.
        InputsError: what it takes is not known.
    """
    options = checkpoint.options
    model = with_options(_load(checkpoint), options)
    config = declare(with_shapes(model.fed, options.input_shapes), model.run, options, checkpoint.source)
    return LoadedModel(model, model.name, frozenset(), loaded_by=model.loaded_by, declaration=config)


def _load(checkpoint: Checkpoint) -> PlainModel:
    path, source, options = checkpoint.path, checkpoint.source, checkpoint.options
    if checkpoint.kind == "python":
        return _live(checkpoint.value, source)
    assert path is not None
    if checkpoint.kind == "saved-model":
        return load_saved_model(path, options, source)
    if checkpoint.kind == "keras-hub":
        return plain_model(load_preset(path, options.trust, source), source)
    file = only_keras_file(path, source) if path.is_dir() else path
    return plain_model(load_keras_file(file, options.trust, source), source)


def _live(value: Any, source: str) -> PlainModel:
    if is_keras_model(value):
        return plain_model(value, source)
    if is_function(value):
        return plain_function(value, source)
    raise UnsupportedCheckpointError(
        f"{source} is neither a Keras model nor a tf.function. Of a model of transformers give its folder, or use "
        "tfexport.export."
    )
