"""BiasAdd of channels first: Add with the bias along axis 1.

tf2onnx 1.17.0 shapes the bias for that only where it is a constant, and its weights are none here. Along the last axis
it either does not fit, or is silently added along the wrong one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Turn the node into an Add; the bias becomes ``(channels, 1, ...)`` where channels are the second axis."""
    if node.data_format.startswith("NC"):
        rank = len(graph.get_shape(node.input[0]))
        shape = graph.make_const(utils.make_name(name), np.array([-1] + [1] * (rank - 2), np.int64))
        bias = graph.make_node("Reshape", [node.input[1], shape.output[0]])
        graph.replace_input(node, node.input[1], bias.output[0], 1)
    node.type = "Add"


HANDLERS = {"BiasAdd": convert, "BiasAddV1": convert}
