"""Variables as weights: views of their values."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from tfexport.backends.variable_names import variable_name
from tfexport.backends.weightless import SOURCE


def variable_tensor(variable: Any, scope: str) -> ir.LazyTensor:
    """Return a variable as a tensor whose values are read, as a view, when they are written.

    Args:
        variable: A ``tf.Variable``.
        scope: The model's own name, with which the variable's name begins.
    """
    name = variable_name(variable, scope)
    tensor = ir.LazyTensor(
        partial(_read, variable, name),
        dtype=ir.DataType.from_numpy(np.dtype(variable.dtype.as_numpy_dtype)),
        shape=ir.Shape(variable.shape.as_list()),
        name=name,
        cache=False,
    )
    tensor.meta[SOURCE] = id(variable)
    return tensor


def _read(variable: Any, name: str) -> ir.TensorProtocol:
    value = variable.read_value()
    try:
        array = np.from_dlpack(value)  # a view; .numpy() would copy
    except (BufferError, RuntimeError, TypeError, tf.errors.OpError):
        array = value.numpy()  # the value is on another device, or DLPack does not support its dtype
    return ir.Tensor(array, name=name)
