"""PyFunc, where it stands for an ONNX operator that `tfexport.backends.tensorflow.emission` put into a traced graph.

A model's own calls of Python have no mapping, as in tf2onnx.
"""

from __future__ import annotations

import logging
from typing import Any

from tfexport.backends.tensorflow.emission import Emitted
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_LOGGER = logging.getLogger("tf2onnx.tfonnx")


def convert(graph: Any, node: Any, name: str, args: Any) -> None:
    """Replace the node by the operator that its token tells."""
    emitted = Emitted.of_token(node.get_attr_str("token"))
    if emitted is None:
        _LOGGER.error("Tensorflow op [%s: %s] is not supported", name, node.type)  # in the words of tf2onnx
        return
    given = iter(list(node.input))
    inputs = [next(given) if present else "" for present in emitted.present]
    outputs, dtypes = list(node.output), node.output_dtypes
    shapes = [_shape_of_reader(graph, output) for output in outputs]
    graph.remove_node(node.name)
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
    """The shape of an output, which the EnsureShape after it has; None where nothing reads the output."""
    readers = graph.find_output_consumers(output)
    return graph.get_shape(readers[0].output[0]) if readers else None


HANDLERS = {"PyFunc": convert}
