"""Models without a configuration of transformers: Keras files and presets, SavedModels, and live models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import tensorflow as tf

from tfexport.backends.base import LoadedModel, model_errors
from tfexport.backends.loading import loader
from tfexport.backends.signature_model import SignatureModel, with_options
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.signature import with_shapes
from tfexport.declarations.probing import declare


def load_plain(checkpoint: Checkpoint) -> LoadedModel:
    """Load what is no checkpoint of transformers.

    Raises:
        CheckpointError: it cannot be read, holds code that is not trusted, or weights alone.
        UnsupportedError: it takes what ONNX has no counterpart for.
        InputsError: what it takes is not known.
    """
    options = checkpoint.options
    model = with_options(loader(checkpoint, "tf")(checkpoint), options)
    config = declare(with_shapes(model.fed, options.input_shapes), partial(_run, model), options, checkpoint.source)
    return LoadedModel(model, model.name, frozenset(), loaded_by=model.loaded_by, declaration=config)


def _run(model: SignatureModel, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with model_errors(model, tf.errors.OpError):
        outputs = model({name: tf.constant(array) for name, array in arrays.items()})
        return {name: np.asarray(value) for name, value in outputs.items()}


__all__ = ["SignatureModel", "load_plain"]
