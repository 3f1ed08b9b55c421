"""FloorDiv(x, y) and FloorMod(x, y) of integers, rounded down.

tf2onnx 1.17.0 writes ONNX's Div, which truncates: ``-3 // 2`` becomes -1, and ``-3 % 2`` becomes -1. Rounding up with
``-(-x // y)`` is then silently wrong. The result of ONNX's Mod has the sign of the divisor, as TensorFlow's has. Mod exists
since opset 10; at opset 9 tf2onnx's own handlers still truncate negative numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.onnx_opset.math import FloorDiv, FloorMod

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert_division(graph: Any, node: Any) -> None:
    """Replace FloorDiv of integers by Div(Sub(x, Mod(x, y)), y), which leaves no remainder to truncate."""
    if not _is_integer(graph, node):
        FloorDiv.version_6(graph, node)
        return
    build = NodeBuilder(graph, node)
    dividend, divisor = node.input
    remainder = build.add("Mod", dividend, divisor, label="Mod", like_output=True)
    whole = build.add("Sub", dividend, remainder, label="Sub", like_output=True)
    node.type = "Div"
    graph.replace_input(node, dividend, whole, 0)


def convert_remainder(graph: Any, node: Any) -> None:
    """Turn FloorMod of integers into Mod(x, y)."""
    if _is_integer(graph, node):
        node.type = "Mod"
    else:
        FloorMod.version_7(graph, node)


def _is_integer(graph: Any, node: Any) -> bool:
    return np.issubdtype(utils.map_onnx_to_numpy_type(graph.get_dtype(node.input[0])), np.integer)


HANDLERS = {
    "FloorDiv": Handler(convert_division, since_opset=10, below=FloorDiv.version_6),
    "FloorMod": Handler(convert_remainder, since_opset=10, below=FloorMod.version_7),
}
