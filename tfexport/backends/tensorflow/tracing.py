"""Trace a TensorFlow model as a function of exactly the declared inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfexport.backends.base import declared_outputs, flat_inputs, mapped
from tfexport.backends.tensorflow.calling import call_model, check_call
from tfexport.errors import ContractError, TracingError
from tfexport.onnx_config import OnnxConfig


@dataclass(frozen=True)
class TracedFunction:
    """A concrete function.

    Attributes:
        function: the concrete function; its variables are captured, its inputs are the declared ones.
        inputs: the declared input names, in order.
        outputs: the declared output names, in order.
        scope: the model's own name, with which the names of its variables begin.
    """

    function: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scope: str = ""


def trace(model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> TracedFunction:
    """Trace a model: int64 in the signature, named axes dynamic, all others static.

    Args:
        model: a ``TFPreTrainedModel``, or a plain model.
        config: the declaration.
        inputs: arrays that give the static lengths and the dtypes; a cache as nested sequences.

    Raises:
        ContractError: the model does not take a declared input, or lacks a declared output.
        TracingError: TensorFlow cannot trace the model.
    """
    check_call(model, config)
    structure, flat = flat_inputs(config, inputs)
    specs = [_spec(name, axes, flat[name]) for name, axes in config.inputs.items()]
    names = tuple(config.inputs)

    def call(*tensors: Any) -> tuple[Any, ...]:
        by_name = dict(zip(names, tensors, strict=True))
        nested = {name: mapped(value, by_name.get) for name, value in structure.items()}
        chosen = declared_outputs(config, call_model(model, config, nested), type(model).__name__)
        return tuple(tf.identity(value) for value in chosen.values())

    try:
        function = _concrete(call, specs, autograph=False)
    except tf.errors.OperatorNotAllowedInGraphError:
        # Four times slower, and needed only by models whose Python branches on a tensor.
        function = _concrete(call, specs, autograph=True)
    return TracedFunction(function, names, tuple(config.outputs), getattr(model, "name", ""))


def _concrete(call: Any, specs: list[Any], *, autograph: bool) -> Any:
    try:
        return tf.function(call, input_signature=specs, autograph=autograph).get_concrete_function()
    except ContractError:
        raise
    except tf.errors.OperatorNotAllowedInGraphError as error:
        if not autograph:
            raise
        raise TracingError(f"TensorFlow cannot trace the model: it branches on a tensor in Python: {error}") from error
    except (TypeError, ValueError, AttributeError, RuntimeError, tf.errors.OpError) as error:
        raise TracingError(f"TensorFlow cannot trace the model: {type(error).__name__}: {error}") from error


def _spec(name: str, axes: Mapping[int, str], array: np.ndarray) -> Any:
    shape = [None if axis in axes else length for axis, length in enumerate(array.shape)]
    dtype = tf.int64 if array.dtype == np.int32 else tf.as_dtype(array.dtype)
    return tf.TensorSpec(shape, dtype, name=name)
