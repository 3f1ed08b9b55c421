"""Erfc(x) = 1 - Erf(x).

TensorFlow's exact GELU is ``0.5 * x * erfc(-x / sqrt(2))``; tf2onnx 1.17.0 has no mapping (onnx/tensorflow-onnx #2347).
ONNX has Erf since opset 9.
"""

from __future__ import annotations

from typing import Any

from tf2onnx import utils

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")


def convert(graph: Any, node: Any) -> None:
    """Replace the node by Sub(1, Erf(x))."""
    build = NodeBuilder(graph, node)
    erf = build.add("Erf", node.input[0], label="Erf", like_output=True)
    one = build.constant(1, "one", utils.map_onnx_to_numpy_type(node.output_dtypes[0]))
    build.replace("Sub", [one, erf])


HANDLERS = {"Erfc": Handler(convert)}
