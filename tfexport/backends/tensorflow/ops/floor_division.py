"""FloorDiv(x, y) and FloorMod(x, y) of integers, rounded down.

tf2onnx 1.17.0 writes ONNX's Div, which cuts off: ``-3 // 2`` becomes -1, and ``-3 % 2`` becomes -1. Rounding up by
``-(-x // y)`` is then silently wrong. ONNX's Mod takes the sign of the divisor, as TensorFlow's does; it is there from
opset 10 on, and at opset 9 negative numbers are cut off as before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.onnx_opset.math import FloorDiv, FloorMod

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_FIRST_WITH_MOD = 10


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Replace FloorMod by Mod(x, y), and FloorDiv by Div(Sub(x, Mod(x, y)), y): no remainder is left to cut off."""
    dtype = utils.map_onnx_to_numpy_type(graph.get_dtype(node.input[0]))
    is_division = node.type == "FloorDiv"
    if not np.issubdtype(dtype, np.integer) or graph.opset < _FIRST_WITH_MOD:
        (FloorDiv.version_6 if is_division else FloorMod.version_7)(graph, node)
        return
    if not is_division:
        node.type = "Mod"
        return
    dividend, divisor = node.input
    remainder = graph.make_node("Mod", [dividend, divisor], name=f"{name}/Mod")
    whole = graph.make_node("Sub", [dividend, remainder.output[0]], name=f"{name}/Sub")
    for inner in (remainder, whole):
        graph.copy_dtype(dividend, inner.output[0])
        graph.copy_shape(node.output[0], inner.output[0])
    node.type = "Div"
    graph.replace_input(node, dividend, whole.output[0], 0)


HANDLERS = {"FloorDiv": convert, "FloorMod": convert}
