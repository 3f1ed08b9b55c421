"""Callers of PyTorch models: how each kind of model is called with the inputs of a declaration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from tfexport.backends.base import Layers, check_inputs
from tfexport.backends.caller import ENCODER_OUTPUTS, Caller, Guard
from tfexport.backends.pytorch.keras_models import KerasModule
from tfexport.backends.pytorch.layers import recorded_keras_layers, recorded_modules
from tfexport.checkpoints.transformers_api import as_cache, as_encoder_outputs, as_tuples
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST


class PyTorchCaller(Caller, Protocol):
    """Calls one PyTorch model."""

    def recorded(self, layers: Layers) -> AbstractContextManager[None]:
        """Add the outputs of every layer that is called in a block to `layers`."""


def caller_of(model: Any) -> PyTorchCaller:
    """Return the caller of a model."""
    return KerasCaller(model) if isinstance(model, KerasModule) else TransformersCaller(model)


@dataclass(frozen=True)
class KerasCaller:
    """Calls a Keras model, whose declaration was made from its own signature.

    Attributes:
        model: The model.
    """

    model: KerasModule

    def check(self, config: OnnxConfig) -> None:
        """See `Caller`."""

    def call(self, config: OnnxConfig, tensors: Mapping[str, Any], guard: Guard = nullcontext) -> dict[str, Any]:
        """See `Caller`."""
        with guard():
            return dict(self.model(**tensors))

    def recorded(self, layers: Layers) -> AbstractContextManager[None]:
        """See `PyTorchCaller`."""
        return recorded_keras_layers(layers)


@dataclass(frozen=True)
class TransformersCaller:
    """Calls a model of transformers.

    Attributes:
        model: A ``PreTrainedModel``.
    """

    model: Any

    def check(self, config: OnnxConfig) -> None:
        """See `Caller`."""
        check_inputs(config._submodel_(self.model).forward, self.model, config)

    def call(self, config: OnnxConfig, tensors: Mapping[str, Any], guard: Guard = nullcontext) -> dict[str, Any]:
        """See `Caller`."""
        submodel = config._submodel_(self.model)
        arguments = config._arguments_(tensors, _zeros)
        if PAST in arguments:
            arguments[PAST] = as_cache(arguments[PAST])
        if isinstance(arguments.get(ENCODER_OUTPUTS), tuple):
            arguments[ENCODER_OUTPUTS] = as_encoder_outputs(arguments[ENCODER_OUTPUTS], "pt")
        if _accepts(submodel.forward, "return_dict"):
            arguments["return_dict"] = True
        with guard():
            outputs = submodel(**arguments)
        return {name: as_tuples(value) for name, value in outputs.items()}

    def recorded(self, layers: Layers) -> AbstractContextManager[None]:
        """See `PyTorchCaller`."""
        return recorded_modules(self.model, layers)


def _zeros(key: Any, width: int) -> Any:
    """Return zeros ``(batch, length, width)`` for a key ``(batch, heads, length, size)``."""
    return torch.zeros_like(key[:, 0, :, :1]).expand(-1, -1, width)


def _accepts(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function, or its wrapper in transformers, accepts a keyword. RagModel's does not: it returns names."""
    parameters = inspect.signature(function, follow_wrapped=False).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
