"""Models without a configuration of transformers: Keras files and presets, SavedModels, and live models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tfexport.backends.base import LoadedModel, model_errors
from tfexport.backends.keras.files import REFUSES, RefusedError, checked, line, load_model, load_preset, only_keras_file
from tfexport.backends.keras.models import plain_model
from tfexport.backends.signature_model import SignatureModel, with_options
from tfexport.backends.tensorflow.signature_models.functions import is_function, plain_function
from tfexport.backends.tensorflow.signature_models.saved_models import load_saved_model
from tfexport.backends.tensorflow.signature_models.tf_keras_models import plain_tf_keras
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.signature import with_shapes
from tfexport.declarations.probing import declare
from tfexport.errors import CheckpointError, UnsupportedCheckpointError


def load_plain(checkpoint: Checkpoint) -> LoadedModel:
    """Load what is no checkpoint of transformers.

    Raises:
        CheckpointError: it cannot be read, holds code that is not trusted, or weights alone.
        UnsupportedError: it takes what ONNX has no counterpart for.
        InputsError: what it takes is not known.
    """
    options = checkpoint.options
    model = with_options(_load(checkpoint), options)
    config = declare(with_shapes(model.fed, options.input_shapes), partial(_run, model), options, checkpoint.source)
    return LoadedModel(model, model.name, frozenset(), loaded_by=model.loaded_by, declaration=config)


def _run(model: SignatureModel, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with model_errors(model, tf.errors.OpError):
        outputs = model({name: tf.constant(array) for name, array in arrays.items()})
        return {name: np.asarray(value) for name, value in outputs.items()}


def _load(checkpoint: Checkpoint) -> SignatureModel:
    path, source, trust = checkpoint.path, checkpoint.source, checkpoint.options.trust
    if checkpoint.kind == "python":
        return _live(checkpoint.value, source)
    assert path is not None
    if checkpoint.kind == "saved-model":
        return load_saved_model(path, checkpoint.options, source)
    if checkpoint.kind == "keras-hub":
        return plain_model(load_preset(path, "tf", trust, source), "tf", source)
    return _live(_from_file(only_keras_file(path, source), trust, source), source)


def _from_file(file: Path, trust: bool, source: str) -> Any:
    """A model by Keras 3, and by tf_keras where Keras 3 refuses."""
    checked(file, trust, source)
    try:
        return load_model(file, "tf", trust, source)
    except RefusedError as error:
        refused = error
    try:
        return tf_keras.models.load_model(str(file), compile=False, safe_mode=not trust)
    except (*REFUSES, tf.errors.OpError) as error:
        raise CheckpointError(
            f"{source} loads neither in {refused} nor in tf_keras {tf_keras.__version__} ({line(error)}). A model with classes "
            "of its own needs their code: build or load it in Python and give it to tfexport.export_checkpoint(model, output)."
        ) from refused


def _live(value: Any, source: str) -> SignatureModel:
    if isinstance(value, keras.Model):
        return plain_model(value, "tf", source)
    if isinstance(value, tf_keras.Model):
        return plain_tf_keras(value, source)
    if is_function(value):
        return plain_function(value, source)
    raise UnsupportedCheckpointError(
        f"{source} is neither a Keras model nor a tf.function. Of a model of transformers give its folder, or use "
        "tfexport.export."
    )


__all__ = ["SignatureModel", "load_plain"]
