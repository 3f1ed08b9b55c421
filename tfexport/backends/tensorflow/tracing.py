"""Tracing of a TensorFlow model as a function of exactly the declared inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfexport.backends.base import declared_outputs, flat_inputs, mapped, reason_of
from tfexport.backends.tensorflow.calling import caller_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.errors import ContractError, TfExportError, TracingError

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
"""Names that TensorFlow accepts."""


@dataclass(frozen=True)
class TracedFunction:
    """A concrete function.

    Attributes:
        function: Concrete function with captured variables, whose inputs are the declared ones.
        inputs: Names of the function's inputs, in order: the declared names, except those in `renamed`.
        outputs: Declared names of the outputs, in order.
        scope: The model's own name, with which the names of its variables begin.
        renamed: Declared names, by the function's names, of the inputs whose declared names TensorFlow refuses.
    """

    function: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scope: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)


def trace(model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> TracedFunction:
    """Trace a model: integers are int64 in the signature, named axes are dynamic, and all other axes are static.

    Args:
        model: A ``TFPreTrainedModel``, or a `SignatureModel`.
        config: The declaration.
        inputs: Arrays with the static lengths and the dtypes; a cache as nested sequences.

    Raises:
        ContractError: The model does not accept a declared input, or lacks a declared output.
        TracingError: TensorFlow cannot trace the model.
    """
    caller = caller_of(model)
    caller.check(config)
    structure, flat = flat_inputs(config, inputs)
    names = tuple(config.inputs)
    taken = {name: name if _NAME.fullmatch(name) else f"input_of_the_file_{index}" for index, name in enumerate(names)}
    specs = [_spec(taken[name], axes, flat[name]) for name, axes in config.inputs.items()]

    def call(*tensors: Any) -> tuple[Any, ...]:
        by_name = dict(zip(names, tensors, strict=True))
        nested = {name: mapped(value, by_name.get) for name, value in structure.items()}
        chosen = declared_outputs(config, caller.call(config, nested), type(model).__name__)
        return tuple(tf.identity(value) for value in chosen.values())

    try:
        function = _concrete(call, specs, autograph=False)
    except tf.errors.OperatorNotAllowedInGraphError:
        # AutoGraph is four times slower, and only models whose Python branches on a tensor need it.
        function = _concrete(call, specs, autograph=True)
    renamed = {name: declared for declared, name in taken.items() if name != declared}
    return TracedFunction(function, tuple(taken.values()), tuple(config.outputs), getattr(model, "name", ""), renamed)


def _concrete(call: Any, specs: list[Any], *, autograph: bool) -> Any:
    try:
        return tf.function(call, input_signature=specs, autograph=autograph).get_concrete_function()
    except ContractError as error:
        # AutoGraph raises a copy whose text quotes our code; the original is its context.
        raise error.__context__ if isinstance(error.__context__, ContractError) else error from None
    except tf.errors.OperatorNotAllowedInGraphError as error:
        if not autograph:
            raise
        raise TracingError(
            f"TensorFlow cannot trace the model: it branches on a tensor in Python: {reason_of(error)}"
        ) from error
    except TfExportError:
        raise
    except Exception as error:  # the boundary of a model: its code decides what it raises
        raise TracingError(f"TensorFlow cannot trace the model: {type(error).__name__}: {reason_of(error)}") from error


def _spec(name: str, axes: Mapping[int, str], array: np.ndarray) -> Any:
    shape = [None if axis in axes else length for axis, length in enumerate(array.shape)]
    dtype = tf.int64 if array.dtype == np.int32 else tf.as_dtype(array.dtype)
    return tf.TensorSpec(shape, dtype, name=name)
