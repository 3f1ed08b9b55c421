"""Select(condition, x, y) = Where(condition, x, y).

tf2onnx 1.17.0 writes ``x * condition + y * (1 - condition)`` for floats, so that an infinity or a NaN on the side that
is not selected leaks as NaN: DeBERTa masks with minus infinity, and gives NaN for padded rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Turn the node into a Where."""
    condition = graph.get_shape(node.input[0])
    rank = len(graph.get_shape(node.output[0]) or ())
    if node.type == "Select" and condition is not None and len(condition) == 1 and rank > 1:
        # The first Select (before V2) takes a vector that chooses rows; ONNX broadcasts from the last axis.
        shape = graph.make_const(f"{name}/rows", np.array([-1] + [1] * (rank - 1), np.int64))
        rows = graph.make_node("Reshape", [node.input[0], shape.output[0]], name=f"{name}/Reshape")
        graph.replace_input(node, node.input[0], rows.output[0], 0)
    node.type = "Where"


HANDLERS = {"Select": convert, "SelectV2": convert}
