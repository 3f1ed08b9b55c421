"""UnsortedSegmentSum, -Prod, -Min and -Max: ScatterND with a reduction.

tf2onnx 1.17.0 sorts the segments and gathers them into a grid of as many columns as the fullest segment has members
(65536 segments of TAPAS by a row of 512 tokens: 34 million numbers a row), and fails on minima and maxima of integers.
ONNX can scatter sums and products from opset 16, minima and maxima from opset 18; below, tf2onnx's own handler is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper
from tf2onnx import utils
from tf2onnx.onnx_opset.reduction import SegmentSum

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_REDUCTIONS = {
    "UnsortedSegmentSum": ("add", 16),
    "UnsortedSegmentProd": ("mul", 16),
    "UnsortedSegmentMin": ("min", 18),
    "UnsortedSegmentMax": ("max", 18),
}
"""By op: the reduction of ScatterND, and the opset that has it."""


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Scatter the data onto the neutral value of each segment.

    Members with a negative number belong to no segment: they go to a last one, which is cut off.
    """
    reduction, opset = _REDUCTIONS[node.type]
    rank = graph.get_rank(node.input[1])
    if graph.opset < opset or rank is None:
        SegmentSum.any_version(graph.opset, graph, node)
        return
    data, ids, count = node.input
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)

    def constant(label: str, values: list[int]) -> str:
        return str(graph.make_const(utils.make_name(f"{name}/{label}"), np.array(values, np.int64)).output[0])

    def made(op: str, inputs: list[str], **attributes: Any) -> str:
        return str(graph.make_node(op, inputs, attr=attributes, name=utils.make_name(f"{name}/{op}")).output[0])

    count = made("Reshape", [made("Cast", [count], to=TensorProto.INT64), constant("vector", [1])])
    ids = made("Cast", [ids], to=TensorProto.INT64)
    ids = made("Where", [made("Less", [ids, constant("none", [0])]), count, ids])
    ids = made("Unsqueeze", [ids, constant("last", [-1])])
    rest = made("Slice", [made("Shape", [data]), constant("rank", [rank]), constant("end", [np.iinfo(np.int64).max])])
    rows = made("Add", [count, constant("one", [1])])
    neutral = helper.make_tensor("value", dtypes[0], [1], [_neutral(reduction, dtypes[0])])
    start = made("ConstantOfShape", [made("Concat", [rows, rest], axis=0)], value=neutral)
    scattered = made("ScatterND", [start, ids, data], reduction=reduction)
    inputs = [scattered, constant("first", [0]), count, constant("axis", [0])]
    graph.make_node("Slice", inputs, outputs=outputs, shapes=shapes, dtypes=dtypes, name=name)


def _neutral(reduction: str, dtype: int) -> Any:
    """What TensorFlow gives for a segment without members."""
    if reduction in ("add", "mul"):
        return int(reduction == "mul")
    kind = np.dtype(utils.map_onnx_to_numpy_type(dtype))
    limits: Any = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    return limits.max if reduction == "min" else limits.min


HANDLERS = dict.fromkeys(_REDUCTIONS, convert)
