"""Callers of TensorFlow models: how each kind of model is called with the inputs of a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from tfexport.backends.base import check_inputs, mapped
from tfexport.backends.caller import ENCODER_OUTPUTS, Caller, Guard
from tfexport.backends.signature_model import SignatureModel
from tfexport.checkpoints.transformers_api import as_encoder_outputs
from tfexport.declarations.model_facts import facts_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import decoder_config
from tfexport.dummy_inputs import PAST

_STACKED_RANK = 5


class TensorFlowCaller(Caller, Protocol):
    """Calls one TensorFlow model."""

    @property
    def is_of_transformers(self) -> bool:
        """Whether the model belongs to transformers, and so its patches apply."""


def caller_of(model: Any) -> TensorFlowCaller:
    """Return the caller of a model."""
    return SignatureCaller(model) if isinstance(model, SignatureModel) else TransformersCaller(model)


@dataclass(frozen=True)
class SignatureCaller:
    """Calls a model whose declaration was made from its own signature, so that any declared name is its own.

    Attributes:
        model: The model.
    """

    model: SignatureModel
    is_of_transformers: bool = False

    def check(self, config: OnnxConfig) -> None:
        """See `Caller`."""

    def call(self, config: OnnxConfig, tensors: Mapping[str, Any], guard: Guard = nullcontext) -> dict[str, Any]:
        """See `Caller`."""
        with guard():
            return self.model(tensors)


@dataclass(frozen=True)
class TransformersCaller:
    """Calls a model of transformers.

    Attributes:
        model: A ``TFPreTrainedModel``.
    """

    model: Any
    is_of_transformers: bool = True

    def check(self, config: OnnxConfig) -> None:
        """See `Caller`."""
        check_inputs(config._submodel_(self.model).call, self.model, config)

    def call(self, config: OnnxConfig, tensors: Mapping[str, Any], guard: Guard = nullcontext) -> dict[str, Any]:
        """See `Caller`."""
        submodel = config._submodel_(self.model)
        arguments = config._arguments_({name: mapped(value, _as_input) for name, value in tensors.items()}, _zeros)
        if PAST in arguments and facts_of(decoder_config(self.model.config)).stacks_cache:
            arguments[PAST] = tuple(tf.stack(layer) for layer in arguments[PAST])
        if isinstance(arguments.get(ENCODER_OUTPUTS), tuple):
            arguments[ENCODER_OUTPUTS] = as_encoder_outputs(arguments[ENCODER_OUTPUTS], "tf")
        with guard():
            outputs = submodel(arguments, training=False, return_dict=True)
        return {name: _unstacked(value) if name == PAST else value for name, value in outputs.items()}


def _as_input(value: Any) -> Any:
    """Cast int64 to int32: transformers' TensorFlow models require int32 ids."""
    return tf.cast(value, tf.int32) if getattr(value, "dtype", None) == tf.int64 else value


def _unstacked(cache: Any) -> Any:
    """Return a cache as one tuple per layer."""
    if not isinstance(cache, (list, tuple)):
        return cache
    return tuple(
        (layer[0], layer[1]) if tf.is_tensor(layer) and layer.shape.rank == _STACKED_RANK else layer for layer in cache
    )


def _zeros(key: Any, width: int) -> Any:
    """Return zeros ``(batch, length, width)`` for a key ``(batch, heads, length, size)``."""
    shape = tf.shape(key)
    return tf.zeros((shape[0], shape[2], width), key.dtype)
