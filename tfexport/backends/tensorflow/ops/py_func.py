"""PyFunc where it represents an ONNX operator, put into a traced graph by `tfexport.backends.tensorflow.emission`.

A model's own calls of Python functions have no mapping, as in tf2onnx.
"""

from __future__ import annotations

import logging
from typing import Any

from tfexport.backends.tensorflow.emission import Emitted
from tfexport.backends.tensorflow.op_handler import NOT_SUPPORTED, Handler
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_LOGGER = logging.getLogger("tf2onnx.tfonnx")


def convert(graph: Any, node: Any) -> None:
    """Replace the node by the operator in its token."""
    name = node.name
    emitted = Emitted.of_token(node.get_attr_str("token"))
    if emitted is None:
        _LOGGER.error(NOT_SUPPORTED, name, node.type)  # as tf2onnx logs it, so that one error lists all such ops
        return
    present = iter(list(node.input))
    inputs = [next(present) if is_present else "" for is_present in emitted.present]
    outputs, dtypes = list(node.output), node.output_dtypes
    shapes = [_shape_of_reader(graph, output) for output in outputs]
    graph.remove_node(name)
    graph.make_node(
        emitted.op_type,
        inputs,
        outputs=outputs,
        dtypes=dtypes,
        shapes=shapes,
        attr=emitted.attributes,
        name=name,
        skip_conversion=True,
    )


def _shape_of_reader(graph: Any, output: str) -> Any:
    """Return the shape of an output, which the EnsureShape after it has, or None where nothing reads the output."""
    readers = graph.find_output_consumers(output)
    return graph.get_shape(readers[0].output[0]) if readers else None


HANDLERS = {"PyFunc": Handler(convert)}
