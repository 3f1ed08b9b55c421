"""TensorFlow's specs of tensors as ours."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfexport.backends.signature_model import takes_strings
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import InputsError, UnsupportedCheckpointError


def tensor_spec(name: str, spec: Any, source: str) -> TensorSpec:
    """A ``tf.TensorSpec`` as ours.

    Raises:
        UnsupportedCheckpointError: strings, or what is no plain tensor.
        InputsError: an unknown number of axes.
    """
    if not isinstance(spec, tf.TensorSpec):
        raise UnsupportedCheckpointError(
            f"{source} takes {name} as {type(spec).__name__}: ONNX has plain tensors. Export the model behind it."
        )
    if spec.dtype == tf.string:
        raise takes_strings(source, name)
    if spec.shape.rank is None:
        raise InputsError(
            f"{source} does not say how many axes {name} has. Give tfexport.export_checkpoint a tf.function of it with an "
            "input_signature that does."
        )
    return TensorSpec(name, spec.dtype.as_numpy_dtype.__name__.rstrip("_"), tuple(spec.shape.as_list()))
