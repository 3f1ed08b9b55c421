"""Variables as weights: their names, and views of their values."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from tfexport.backends.weightless import SOURCE


def weight_name(variable: Any, scope: str) -> str:
    """Name of a variable in graphs, as checkpoints have it: without its output and without the model's own name.

    Keras numbers the models of a process (``tf_bert_model_1``); a file must not depend on how many came before.
    """
    return str(variable.name).removesuffix(":0").removeprefix(f"{scope}/")


def variable_tensor(variable: Any, scope: str) -> ir.LazyTensor:
    """A variable as a tensor whose values are read, as a view, when they are written."""
    name = weight_name(variable, scope)
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
        array = value.numpy()  # on another device, or a dtype that DLPack does not carry
    return ir.Tensor(array, name=name)
