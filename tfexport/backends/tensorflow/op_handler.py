"""The parts of an op handler: the opsets that it supports, and the nodes that it adds to a graph of tf2onnx."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tf2onnx import utils

from tfexport.errors import OpsetError

LOWEST_OPSET = 9
"""Most of tf2onnx's handlers for transformer graphs are missing below."""

NOT_SUPPORTED = "Tensorflow op [%s: %s] is not supported"
"""Format of tf2onnx 1.17.0's log for a node without a mapping: (node name, op type)."""

Convert = Callable[[Any, Any], None]


@dataclass(frozen=True)
class Handler:
    """The conversion of one TensorFlow op.

    Attributes:
        convert: Function that replaces a node, called with a tf2onnx graph and the node.
        since_opset: Lowest opset that has the ONNX operators which `convert` writes.
        below: Tf2onnx's own handler, for lower opsets. Without one, a lower opset is an error.
    """

    convert: Convert
    since_opset: int = LOWEST_OPSET
    below: Convert | None = None

    def __call__(self, graph: Any, node: Any, name: str, args: Any) -> None:
        """Replace a node, with the signature of tf2onnx's ``custom_op_handlers``.

        Raises:
            OpsetError: The opset of the graph is too low for this op.
        """
        if graph.opset >= self.since_opset:
            self.convert(graph, node)
        elif self.below is not None:
            self.below(graph, node)
        else:
            raise OpsetError(
                f"{node.type} in {name} needs opset {self.since_opset} or higher; {graph.opset} was requested. "
                f"Pass --opset {self.since_opset} (opset={self.since_opset})."
            )


class NodeBuilder:
    """Adds ONNX nodes to a graph in place of one TensorFlow node.

    The name of an added node begins with the name of the TensorFlow node. A label ends it, or a number where there is none.

    Args:
        graph: A tf2onnx graph.
        node: The node that is replaced.
    """

    def __init__(self, graph: Any, node: Any) -> None:
        self._graph = graph
        self._node = node

    def constant(self, values: Any, label: str | None = None, dtype: Any = np.int64) -> str:
        """Add a constant, and return the name of its tensor."""
        return str(self._graph.make_const(self._name(label), np.array(values, dtype)).output[0])

    def add(
        self, op_type: str, *inputs: str, label: str | None = None, like_output: bool = False, **attributes: Any
    ) -> str:
        """Add a node, and return the name of its first output.

        Args:
            op_type: An ONNX operator.
            inputs: Names of tensors.
            label: End of the node's name.
            like_output: Whether the result has the shape and the dtype of the replaced node's output. Otherwise tf2onnx
                infers both.
            attributes: Attributes of the operator.
        """
        known: dict[str, Any] = {}
        if like_output:
            known = {"shapes": self._node.output_shapes, "dtypes": self._node.output_dtypes}
        made = self._graph.make_node(op_type, list(inputs), attr=attributes, name=self._name(label), **known)
        return str(made.output[0])

    def before_axes(self, vector: str, count: int) -> str:
        """Reshape a vector to ``(length, 1, ...)``, with `count` axes of length 1, so that it broadcasts along an inner axis."""
        shape = self.constant([-1, *[1] * count], "shape")
        return self.add("Reshape", vector, shape, label="Reshape")

    def replace(self, op_type: str, inputs: Sequence[str]) -> None:
        """Replace the TensorFlow node by a node with its name and its outputs."""
        name, outputs = self._node.name, list(self._node.output)
        shapes, dtypes = self._node.output_shapes, self._node.output_dtypes
        self._graph.remove_node(name)
        self._graph.make_node(op_type, list(inputs), outputs=outputs, shapes=shapes, dtypes=dtypes, name=name)

    def _name(self, label: str | None) -> str:
        name = self._node.name
        return str(utils.make_name(name)) if label is None else f"{name}/{label}"
