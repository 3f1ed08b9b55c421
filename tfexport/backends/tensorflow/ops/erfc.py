"""Erfc(x) = 1 - Erf(x).

TensorFlow's exact GELU is ``0.5 * x * erfc(-x / sqrt(2))``; tf2onnx 1.17.0 has no mapping (onnx/tensorflow-onnx #2347).
ONNX has Erf since opset 9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Replace the node by Sub(1, Erf(x))."""
    shapes, dtypes, outputs, source = node.output_shapes, node.output_dtypes, list(node.output), node.input[0]
    graph.remove_node(node.name)
    erf = graph.make_node("Erf", [source], shapes=shapes, dtypes=dtypes, name=f"{name}/Erf")
    one = graph.make_const(f"{name}/one", np.array(1, utils.map_onnx_to_numpy_type(dtypes[0])))
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=outputs, shapes=shapes, dtypes=dtypes, name=name)


HANDLERS = {"Erfc": convert}
