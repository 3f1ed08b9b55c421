"""Models that declare themselves by a signature: Keras files and presets, SavedModels, and models in Python."""

from __future__ import annotations

from tfexport.backends.base import LoadedModel
from tfexport.backends.loading import loader
from tfexport.backends.signature_model import SignatureModel, with_options
from tfexport.checkpoints.checkpoint import Checkpoint


def load_signature_model(checkpoint: Checkpoint) -> LoadedModel:
    """Load a model that is not a checkpoint of transformers.

    Raises:
        CheckpointError: The model cannot be read, holds code that is not trusted, or is only weights.
        UnsupportedError: The model takes tensors that ONNX has no counterpart for.
        InputsError: The inputs of the model are not known.
    """
    model = with_options(loader(checkpoint, "tf")(checkpoint), checkpoint.options)
    return LoadedModel(model, model.name, frozenset(), loaded_by=model.loaded_by)


__all__ = ["SignatureModel", "load_signature_model"]
