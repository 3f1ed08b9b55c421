"""GatherV2 along an axis that is counted from the last.

tf2onnx 1.17.0 does not normalise a negative axis, or a negative number of batch axes, when a gather has batch axes. It then
permutes the wrong axes: the pixel shuffle of DeiT and Swin returns an empty tensor.
"""

from __future__ import annotations

from typing import Any

from tf2onnx.onnx_opset.tensor import GatherV2

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_BATCH_DIMS_OPSET = 12


def convert(graph: Any, node: Any) -> None:
    """Count both from the first axis, then call tf2onnx's own handler."""
    batch_axes = node.get_attr_value("batch_dims", 0)
    if batch_axes < 0:
        node.set_attr("batch_dims", batch_axes + graph.get_rank(node.input[1]))
    if batch_axes != 0 and node.inputs[2].is_const():
        axis = int(node.inputs[2].get_tensor_value())
        if axis < 0:
            from_first = NodeBuilder(graph, node).constant(axis + graph.get_rank(node.input[0]))
            graph.replace_input(node, node.input[2], from_first, 2)
    own = GatherV2.version_12 if graph.opset >= _BATCH_DIMS_OPSET else GatherV2.version_1
    own(graph, node)


HANDLERS = {"GatherV2": Handler(convert)}
