"""Keras 3 on PyTorch: a Keras model as a module that takes tensors by name."""

from __future__ import annotations

from typing import Any

import torch

from tfexport.backends.base import LoadedModel
from tfexport.backends.keras import keras_on
from tfexport.backends.keras.files import RefusedError, checked, load_preset, only_keras_file
from tfexport.backends.keras.models import model_of_keras
from tfexport.backends.loading import loader
from tfexport.backends.signature_model import SignatureModel, with_options
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import CheckpointError, UnsupportedCheckpointError


class KerasModule(torch.nn.Module):  # type: ignore[misc]
    """A module that takes tensors by name; its parameters are those of the Keras model in it.

    Args:
        model: The model.
    """

    def __init__(self, model: SignatureModel) -> None:
        super().__init__()
        self.keras = model.kept
        self._model = model

    @property
    def known_as(self) -> str:
        """Name of the model, for messages."""
        return self._model.name

    @property
    def fed(self) -> tuple[TensorSpec, ...]:
        """Inputs as they are fed."""
        return self._model.fed

    def forward(self, **tensors: Any) -> dict[str, Any]:
        """Return the outputs by name."""
        return self._model(tensors)


def load_keras(checkpoint: Checkpoint) -> LoadedModel:
    """Load a Keras file or a KerasHub preset on PyTorch.

    Raises:
        CheckpointError: The model cannot be read, holds code that is not trusted, or is only weights.
        FrameworkError: Keras runs on another framework in this process.
        UnsupportedError: It is not a model of Keras 3, or takes tensors that ONNX has no counterpart for.
    """
    model = with_options(loader(checkpoint, "pt")(checkpoint), checkpoint.options)
    return LoadedModel(KerasModule(model), model.name, frozenset(), loaded_by=model.loaded_by)


def _refuse_states(model: Any, source: str) -> None:
    """Refuse recurrent layers that keep their state between calls: a trace holds the state of one moment."""
    found = [layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    if found:
        raise UnsupportedCheckpointError(
            f"{source} keeps states between calls ({', '.join(found)}: stateful=True), which an ONNX file cannot. Build it with "
            "stateful=False, and with the states as inputs (initial_state=) and outputs (return_state=True) if they matter."
        )


def load_keras_file(checkpoint: Checkpoint) -> SignatureModel:
    """Load a Keras file in Keras 3 on PyTorch.

    Raises:
        CheckpointError: The file cannot be read, holds code that is not trusted, or only weights.
    """
    source, trust = checkpoint.source, checkpoint.options.trust
    file = only_keras_file(checkpoint)
    keras = keras_on("pt")
    found = checked(file, [keras], trust, source)
    try:
        return _signature_model(found.load(keras), source)
    except RefusedError as error:
        raise CheckpointError(
            f"{source} does not load in {error}, the only Keras that runs on PyTorch. Leave out --framework pt "
            '(framework="pt").'
        ) from error


def load_keras_hub_preset(checkpoint: Checkpoint) -> SignatureModel:
    """Load a preset folder of KerasHub on PyTorch.

    Raises:
        CheckpointError: KerasHub does not load it, or it holds code that is not trusted.
    """
    assert checkpoint.path is not None
    source = checkpoint.source
    return _signature_model(load_preset(checkpoint.path, "pt", checkpoint.options.trust, source), source)


def _signature_model(model: Any, source: str) -> SignatureModel:
    _refuse_states(model, source)
    return model_of_keras(model, "pt", source)
