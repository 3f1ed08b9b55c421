"""Keras 3 on PyTorch: a Keras model as a module that takes tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from tfexport.backends.base import LoadedModel, model_errors
from tfexport.backends.keras.files import RefusedError, checked, load_model, load_preset, only_keras_file
from tfexport.backends.keras.models import plain_model
from tfexport.backends.loading import loader
from tfexport.backends.signature_model import SignatureModel, with_options
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.signature import with_shapes
from tfexport.declarations.probing import declare
from tfexport.errors import CheckpointError, UnsupportedCheckpointError


class KerasModule(torch.nn.Module):  # type: ignore[misc]
    """A plain model whose parameters are those of the Keras model in it.

    Args:
        plain: the model.
    """

    def __init__(self, plain: SignatureModel) -> None:
        super().__init__()
        self.keras = plain.kept
        self._plain = plain

    @property
    def known_as(self) -> str:
        """For messages."""
        return self._plain.name

    def forward(self, **tensors: Any) -> dict[str, Any]:
        """Outputs by name."""
        return self._plain(tensors)


def load_keras(checkpoint: Checkpoint) -> LoadedModel:
    """Load a Keras file or a KerasHub preset on PyTorch.

    Raises:
        CheckpointError: it cannot be read, holds code that is not trusted, or weights alone.
        FrameworkError: Keras runs on another framework in this process.
        UnsupportedError: it is no model of Keras 3, or takes what ONNX has no counterpart for.
    """
    options = checkpoint.options
    plain = with_options(loader(checkpoint, "pt")(checkpoint), options)
    module = KerasModule(plain)
    config = declare(with_shapes(plain.fed, options.input_shapes), partial(_run, module), options, checkpoint.source)
    return LoadedModel(module, plain.name, frozenset(), loaded_by=plain.loaded_by, declaration=config)


def _refuse_states(model: Any, source: str) -> None:
    """Refuse recurrent layers that go on where they left off: a trace holds the state of one moment."""
    found = [layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    if found:
        raise UnsupportedCheckpointError(
            f"{source} keeps states between calls ({', '.join(found)}: stateful=True), and an ONNX file keeps nothing. Build it "
            "with stateful=False, and with the states as inputs (initial_state=) and outputs (return_state=True) if they matter."
        )


def _run(module: KerasModule, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with model_errors(module), torch.no_grad():
        outputs = module(**{name: torch.tensor(array) for name, array in arrays.items()})
        return {name: value.numpy(force=True) for name, value in outputs.items()}


def load_keras_file(checkpoint: Checkpoint) -> SignatureModel:
    """Load a Keras file in Keras 3 on PyTorch.

    Raises:
        CheckpointError: The file cannot be read, holds code that is not trusted, or only weights.
    """
    assert checkpoint.path is not None
    source, trust = checkpoint.source, checkpoint.options.trust
    file = only_keras_file(checkpoint.path, source)
    checked(file, trust, source)
    try:
        return _signature_model(load_model(file, "pt", trust, source), source)
    except RefusedError as error:
        raise CheckpointError(
            f"{source} does not load in {error}, the only Keras that runs on PyTorch. Leave out --framework pt."
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
    return plain_model(model, "pt", source)
