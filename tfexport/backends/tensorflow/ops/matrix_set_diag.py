"""MatrixSetDiagV3(matrix, diagonal, k): the diagonal where the column is the row plus k, elsewhere the matrix.

tf2onnx 1.17.0 writes this op, by way of MatrixDiagPart, with a Range of the domain ``com.microsoft``. Its file does not import
that domain, and ONNX Runtime has no such op. CLIP's causal mask needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx.graph_builder import GraphBuilder

from tfexport.backends.tensorflow.op_handler import Handler, NodeBuilder
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_PAST_THE_END = int(np.iinfo(np.int64).max)


def convert(graph: Any, node: Any) -> None:
    """Replace the node by a Where.

    Raises:
        ValueError: The node sets more than one diagonal, or diagonals that are known only at run time.
    """
    matrix, diagonal, _ = node.input
    k = _one_diagonal(node)
    build = NodeBuilder(graph, node)

    def length(tensor: str, start: int, end: int) -> str:
        axis = {"data": build.add("Shape", tensor), "starts": [start], "ends": [end], "axes": [0]}
        return build.add("Reshape", str(GraphBuilder(graph).make_slice(axis)), build.constant([]))

    def unsqueezed(tensor: str, axis: int) -> str:
        return str(GraphBuilder(graph).make_unsqueeze({"data": tensor, "axes": [axis]}))

    zero, one = build.constant(0), build.constant(1)
    rows = build.add("Range", zero, length(matrix, -2, -1), one)
    columns = build.add("Range", zero, length(matrix, -1, _PAST_THE_END), one)
    # Each row's place on the diagonal. A row that the diagonal does not meet has any place, which Where does not choose.
    last = build.add("Sub", length(diagonal, -1, _PAST_THE_END), one)
    place = build.add("Max", build.add("Min", build.add("Add", rows, build.constant(min(k, 0))), last), zero)
    of_row = unsqueezed(build.add("Gather", diagonal, place, axis=len(graph.get_shape(diagonal)) - 1), -1)
    on_diagonal = build.add("Equal", unsqueezed(columns, 0), build.add("Add", unsqueezed(rows, 1), build.constant(k)))
    build.replace("Where", [on_diagonal, of_row, matrix])


def _one_diagonal(node: Any) -> int:
    offset = node.inputs[2]
    offsets = np.unique(offset.get_tensor_value(as_list=False)) if offset.is_const() else np.array([])
    if offsets.size != 1:
        raise ValueError("MatrixSetDiag must set one diagonal, whose number is a constant")
    return int(offsets[0])


HANDLERS = {"MatrixSetDiagV3": Handler(convert, since_opset=12)}  # Min of integers
