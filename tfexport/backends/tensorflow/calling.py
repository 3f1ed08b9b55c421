"""Call a TensorFlow model with what a declaration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from tfexport.backends.base import check_inputs, mapped
from tfexport.backends.signature_model import SignatureModel
from tfexport.checkpoints.transformers_api import as_encoder_outputs
from tfexport.declarations.model_facts import facts_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import decoder_config
from tfexport.dummy_inputs import PAST

_ENCODER_OUTPUTS = "encoder_outputs"
_STACKED_RANK = 5


def check_call(model: Any, config: OnnxConfig) -> None:
    """Refuse a declared input that the model does not take.

    Raises:
        ContractError: there is one.
    """
    if not isinstance(model, SignatureModel):
        check_inputs(config._submodel_(model).call, model, config)


def call_model(
    model: Any,
    config: OnnxConfig,
    tensors: Mapping[str, Any],
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Return the outputs of the model, or of the part of it that the declaration describes, by name.

    A key-value cache is a tuple (key, value, ...) per layer on both sides, each ``(batch, heads, length, head size)``.

    Args:
        model: The framework's model.
        config: Declaration of the model, or of a part.
        tensors: Inputs by name.
        guard: Context in which the model is called, and nothing else.
    """
    if isinstance(model, SignatureModel):
        with guard():
            return model(tensors)
    submodel = config._submodel_(model)
    arguments = config._arguments_({name: mapped(value, _as_input) for name, value in tensors.items()}, _zeros)
    if PAST in arguments and _stacks_its_cache(model):
        arguments[PAST] = tuple(tf.stack(layer) for layer in arguments[PAST])
    if isinstance(arguments.get(_ENCODER_OUTPUTS), tuple):
        arguments[_ENCODER_OUTPUTS] = as_encoder_outputs(arguments[_ENCODER_OUTPUTS], "tf")
    with guard():
        outputs = submodel(arguments, training=False, return_dict=True)
    return {name: _unstacked(value) if name == PAST else value for name, value in outputs.items()}


def _as_input(value: Any) -> Any:
    """transformers' TensorFlow models want int32 ids."""
    return tf.cast(value, tf.int32) if getattr(value, "dtype", None) == tf.int64 else value


def _stacks_its_cache(model: Any) -> bool:
    return facts_of(decoder_config(model.config)).stacks_cache


def _unstacked(cache: Any) -> Any:
    """A cache as a tuple a layer."""
    if not isinstance(cache, (list, tuple)):
        return cache
    return tuple(
        (layer[0], layer[1]) if tf.is_tensor(layer) and layer.shape.rank == _STACKED_RANK else layer for layer in cache
    )


def _zeros(key: Any, width: int) -> Any:
    """Zeros ``(batch, length, width)`` for a key ``(batch, heads, length, size)``."""
    shape = tf.shape(key)
    return tf.zeros((shape[0], shape[2], width), key.dtype)
