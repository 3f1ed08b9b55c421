"""Loaders of the kinds of sources: a Keras file, a preset of KerasHub, a live model in Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tf_keras

from tfexport.backends.keras import keras_on
from tfexport.backends.keras.files import RefusedError, checked, load_preset, only_keras_file
from tfexport.backends.keras.models import model_of_keras
from tfexport.backends.signature_model import SignatureModel
from tfexport.backends.tensorflow.signature_models.functions import is_function, model_of_function
from tfexport.backends.tensorflow.signature_models.tf_keras_models import model_of_tf_keras
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.errors import CheckpointError, UnsupportedCheckpointError


def load_keras_file(checkpoint: Checkpoint) -> SignatureModel:
    """Load a Keras file in Keras 3, or in tf_keras where Keras 3 refuses it.

    Raises:
        CheckpointError: The file cannot be read, holds code that is not trusted, or only weights.
    """
    source = checkpoint.source
    return _signature_model(_from_file(only_keras_file(checkpoint), checkpoint.options.trust, source), source)


def load_keras_hub_preset(checkpoint: Checkpoint) -> SignatureModel:
    """Load a preset folder of KerasHub.

    Raises:
        CheckpointError: KerasHub does not load it, or it holds code that is not trusted.
    """
    assert checkpoint.path is not None
    model = load_preset(checkpoint.path, "tf", checkpoint.options.trust, checkpoint.source)
    return model_of_keras(model, "tf", checkpoint.source)


def load_live_model(checkpoint: Checkpoint) -> SignatureModel:
    """Return a live model as one that declares itself.

    Raises:
        UnsupportedCheckpointError: The object is neither a Keras model nor a ``tf.function``.
    """
    return _signature_model(checkpoint.value, checkpoint.source)


def _from_file(file: Path, trust: bool, source: str) -> Any:
    keras = keras_on("tf")
    found = checked(file, [keras, tf_keras], trust, source)
    try:
        return found.load(keras)
    except RefusedError as error:
        refused = error
    try:
        return found.load(tf_keras)
    except RefusedError as error:
        raise CheckpointError(
            f"{source} loads neither in {refused} nor in {error}. A model with classes of its own needs their code: build or "
            "load it in Python and pass it to tfexport.export_model(model, output)."
        ) from refused


def _signature_model(value: Any, source: str) -> SignatureModel:
    keras = sys.modules.get("keras")  # a model of it may run on another framework, and `model_of_keras` says so
    if keras is not None and isinstance(value, keras.Model):
        return model_of_keras(value, "tf", source)
    if isinstance(value, tf_keras.Model):
        return model_of_tf_keras(value, source)
    if is_function(value):
        return model_of_function(value, source)
    raise UnsupportedCheckpointError(
        f"{source} is neither a Keras model nor a tf.function. For a model of transformers pass its folder, or call "
        "tfexport.export."
    )
