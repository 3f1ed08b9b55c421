"""UnsortedSegmentSum, -Prod, -Min and -Max: ScatterND with a reduction.

tf2onnx 1.17.0 sorts the segments and gathers them into a grid with as many columns as the fullest segment has members. For
TAPAS that is 34 million numbers per row: 65536 segments by 512 tokens. It fails on minima and maxima of integers.

ONNX can scatter sums and products since opset 16, minima and maxima since opset 18; below, tf2onnx's own handler converts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper
from tf2onnx import utils
from tf2onnx.onnx_opset.reduction import SegmentSum

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_PAST_THE_END = int(np.iinfo(np.int64).max)
_REDUCTIONS = {
    "UnsortedSegmentSum": ("add", 16),
    "UnsortedSegmentProd": ("mul", 16),
    "UnsortedSegmentMin": ("min", 18),
    "UnsortedSegmentMax": ("max", 18),
}
"""Reduction of ScatterND, and the lowest opset that has it, by op."""


def convert(graph: Any, node: Any) -> None:
    """Scatter the data onto the neutral value of each segment.

    Members with a negative number belong to no segment: they go to a last one, which is cut off.
    """
    reduction, _ = _REDUCTIONS[node.type]
    rank = graph.get_rank(node.input[1])
    if rank is None:
        own_handler(graph, node)
        return
    data, ids, count = node.input
    dtype = node.output_dtypes[0]
    build = NodeBuilder(graph, node)
    count = build.add("Reshape", build.add("Cast", count, to=TensorProto.INT64), build.constant([1]))
    ids = build.add("Cast", ids, to=TensorProto.INT64)
    ids = build.add("Where", build.add("Less", ids, build.constant([0])), count, ids)
    ids = build.add("Unsqueeze", ids, build.constant([-1]))
    rest = build.add("Slice", build.add("Shape", data), build.constant([rank]), build.constant([_PAST_THE_END]))
    rows = build.add("Add", count, build.constant([1]))
    neutral = helper.make_tensor("value", dtype, [1], [_neutral(reduction, dtype)])
    start = build.add("ConstantOfShape", build.add("Concat", rows, rest, axis=0), value=neutral)
    scattered = build.add("ScatterND", start, ids, data, reduction=reduction)
    build.replace("Slice", [scattered, build.constant([0]), count, build.constant([0])])


def own_handler(graph: Any, node: Any) -> None:
    """Convert the node as tf2onnx does."""
    SegmentSum.any_version(graph.opset, graph, node)


def _neutral(reduction: str, dtype: int) -> Any:
    """Return TensorFlow's value of a segment without members."""
    if reduction in ("add", "mul"):
        return int(reduction == "mul")
    kind = np.dtype(utils.map_onnx_to_numpy_type(dtype))
    limits: Any = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    return limits.max if reduction == "min" else limits.min


HANDLERS = {op: Handler(convert, since_opset, below=own_handler) for op, (_, since_opset) in _REDUCTIONS.items()}
