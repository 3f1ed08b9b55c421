"""MatrixSetDiagV3(matrix, diagonal, k): where the column is k more than the row, the diagonal; else the matrix.

tf2onnx 1.17.0 writes this op, by way of MatrixDiagPart, with a Range of the domain ``com.microsoft``, which its file
does not import and ONNX Runtime does not have: CLIP's causal mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.graph_builder import GraphBuilder

from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

LOWEST_OPSET = 12
"""Of Min for integers."""


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Replace the node by a Where.

    Raises:
        ValueError: more than one diagonal, diagonals that are known only at run time, or an opset below 12.
    """
    if graph.opset < LOWEST_OPSET:
        raise ValueError(f"MatrixSetDiag needs opset {LOWEST_OPSET}; this one is {graph.opset}")
    matrix, diagonal, _ = node.input
    k = _one_diagonal(node)
    shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, list(node.output)

    def add(op: str, *inputs: str, **attributes: Any) -> str:
        return str(graph.make_node(op, list(inputs), attr=attributes, name=utils.make_name(name)).output[0])

    def constant(value: Any) -> str:
        return str(graph.make_const(utils.make_name(name), np.array(value, np.int64)).output[0])

    def last_axes(tensor: str, start: int, end: int) -> str:
        axes = {"data": add("Shape", tensor), "starts": [start], "ends": [end], "axes": [0]}
        return add("Reshape", str(GraphBuilder(graph).make_slice(axes)), constant([]))

    def unsqueezed(tensor: str, axis: int) -> str:
        return str(GraphBuilder(graph).make_unsqueeze({"data": tensor, "axes": [axis]}))

    past_the_end = int(np.iinfo(np.int64).max)
    zero, one = constant(0), constant(1)
    rows = add("Range", zero, last_axes(matrix, -2, -1), one)
    columns = add("Range", zero, last_axes(matrix, -1, past_the_end), one)
    # The place on the diagonal of each row; rows that it does not meet get any, which is not chosen.
    last = add("Sub", last_axes(diagonal, -1, past_the_end), one)
    place = add("Max", add("Min", add("Add", rows, constant(min(k, 0))), last), zero)
    of_row = unsqueezed(add("Gather", diagonal, place, axis=len(graph.get_shape(diagonal)) - 1), -1)
    on_diagonal = add("Equal", unsqueezed(columns, 0), add("Add", unsqueezed(rows, 1), constant(k)))
    graph.remove_node(node.name)
    graph.make_node("Where", [on_diagonal, of_row, matrix], outputs=outputs, shapes=shapes, dtypes=dtypes, name=name)


def _one_diagonal(node: Any) -> int:
    offset = node.inputs[2]
    offsets = np.unique(offset.get_tensor_value(as_list=False)) if offset.is_const() else np.array([])
    if offsets.size != 1:
        raise ValueError("MatrixSetDiag is converted for one diagonal, known when it is converted")
    return int(offsets[0])


HANDLERS = {"MatrixSetDiagV3": convert}
