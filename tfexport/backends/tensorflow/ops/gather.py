"""GatherV2 along an axis that is counted from the last.

tf2onnx 1.17.0 takes a negative axis, or a negative number of batch axes, as it is when a gather has batch axes, and
then permutes the wrong ones: the pixel shuffle of DeiT and Swin comes out empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.onnx_opset.tensor import GatherV2

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_BATCH_DIMS_OPSET = 12


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Count both from the first axis, then hand the node to tf2onnx's own handler."""
    batch_axes = node.get_attr_value("batch_dims", 0)
    if batch_axes != 0:
        if batch_axes < 0:
            batch_axes += graph.get_rank(node.input[1])
            node.set_attr("batch_dims", batch_axes)
        if node.inputs[2].is_const():
            axis = int(node.inputs[2].get_tensor_value())
            if axis < 0:
                first = graph.make_const(
                    utils.make_name(name), np.array(axis + graph.get_rank(node.input[0]), np.int64)
                )
                graph.replace_input(node, node.input[2], first.output[0], 2)
    own = GatherV2.version_12 if graph.opset >= _BATCH_DIMS_OPSET else GatherV2.version_1
    own(graph, node)


HANDLERS = {"GatherV2": convert}
