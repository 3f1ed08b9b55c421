"""TensorListFromTensor, from which a loop reads step by step: the tensor itself.

tf2onnx 1.17.0 makes an Identity of it and leaves a second input in place, the shape of an element. Its own pass removes the
Identity before anything checks it. That pass is left out here, and the file would not be valid ONNX.
"""

from __future__ import annotations

from typing import Any

from tfexport.backends.tensorflow.op_handler import Handler
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any) -> None:
    """Turn the node into an Identity of the tensor, from which the loop gathers."""
    tensor = node.input[0]
    graph.replace_inputs(node, [tensor])
    graph.copy_dtype(tensor, node.output[0])
    graph.copy_shape(tensor, node.output[0])
    node.type = "Identity"


HANDLERS = {"TensorListFromTensor": Handler(convert)}
