"""TensorFlow's tensor specs as the project's own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.signature_model import takes_strings
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import InputsError, UnsupportedCheckpointError


def tensor_spec(name: str, spec: Any, source: str) -> TensorSpec:
    """Return a ``tf.TensorSpec`` as a `TensorSpec`.

    Raises:
        UnsupportedCheckpointError: The tensor holds strings, or is ragged or sparse.
        InputsError: The number of axes is unknown.
    """
    if not isinstance(spec, tf.TensorSpec):
        raise UnsupportedCheckpointError(
            f"{source} takes {name} as {type(spec).__name__}: ONNX has only dense tensors. Export the part of the model that "
            "takes dense tensors."
        )
    if spec.dtype == tf.string:
        raise takes_strings(source, name)
    if spec.shape.rank is None:
        raise InputsError(
            f"{source} does not say how many axes {name} has. Pass tfexport.export_model a tf.function of it with an "
            "input_signature that does."
        )
    return TensorSpec(name, spec.dtype.as_numpy_dtype.__name__.rstrip("_"), tuple(spec.shape.as_list()))
