"""TensorListFromTensor, what a loop reads from step by step: the tensor itself.

tf2onnx 1.17.0 makes an Identity of it and leaves it a second input, the shape of an element. Its own pass takes the
Identity out before anything looks at it; that pass is left out here, and the file is then no valid ONNX.
"""

from __future__ import annotations

from typing import Any

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Turn the node into an Identity of the tensor; the loop gathers from that."""
    tensor = node.input[0]
    graph.replace_inputs(node, [tensor])
    graph.copy_dtype(tensor, node.output[0])
    graph.copy_shape(tensor, node.output[0])
    node.type = "Identity"


HANDLERS = {"TensorListFromTensor": convert}
