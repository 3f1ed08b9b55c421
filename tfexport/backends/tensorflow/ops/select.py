"""Select(condition, x, y) = Where(condition, x, y).

tf2onnx 1.17.0 writes ``x * condition + y * (1 - condition)`` for floats. An infinity or a NaN on the side that is not selected
then leaks as NaN: DeBERTa masks with minus infinity, and returns NaN for padded rows.
"""

from __future__ import annotations

from typing import Any

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any) -> None:
    """Turn the node into a Where."""
    condition = graph.get_shape(node.input[0])
    rank = len(graph.get_shape(node.output[0]) or ())
    if node.type == "Select" and condition is not None and len(condition) == 1 and rank > 1:
        # The first Select (before V2) accepts a vector that chooses rows; ONNX broadcasts from the last axis.
        rows = NodeBuilder(graph, node).before_axes(node.input[0], rank - 1)
        graph.replace_input(node, node.input[0], rows, 0)
    node.type = "Where"


HANDLERS = {"Select": Handler(convert), "SelectV2": Handler(convert)}
