"""BiasAdd for channels first: Add with the bias along axis 1.

tf2onnx 1.17.0 reshapes the bias for that only where it is a constant, and weights are not constants here. Along the last axis
the bias either does not fit, or is silently added along the wrong axis.
"""

from __future__ import annotations

from typing import Any

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any) -> None:
    """Turn the node into an Add; the bias becomes ``(channels, 1, ...)`` where channels are the second axis."""
    if node.data_format.startswith("NC"):
        rank = len(graph.get_shape(node.input[0]))
        bias = NodeBuilder(graph, node).before_axes(node.input[1], rank - 2)
        graph.replace_input(node, node.input[1], bias, 1)
    node.type = "Add"


HANDLERS = {"BiasAdd": Handler(convert), "BiasAddV1": Handler(convert)}
