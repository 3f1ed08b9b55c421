"""An ONNX operator in a function that TensorFlow traces.

ONNX may have one operator for a computation that needs many ops in TensorFlow. `emit` puts a node into the traced graph that
represents this operator. The node calls a Python function that is not registered anywhere, so neither tracing nor grappler can
compute or decompose it. Its token describes the operator, and ``ops/py_func.py`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf

_PREFIX = "tfexport.onnx:"


@dataclass(frozen=True)
class Emitted:
    """The ONNX operator that a node in a traced graph represents.

    Attributes:
        op_type: Operator of the default operator set.
        present: Whether each input of the operator is present; the node has only the present ones.
        attributes: Attributes of the operator.
    """

    op_type: str
    present: list[bool]
    attributes: dict[str, Any]

    def token(self) -> str:
        """Return the token of the node."""
        return _PREFIX + json.dumps(asdict(self))

    @staticmethod
    def of_token(token: str) -> Emitted | None:
        """Return the operator that a token describes, or None where the token is not ours."""
        return Emitted(**json.loads(token.removeprefix(_PREFIX))) if token.startswith(_PREFIX) else None


def emit(op_type: str, inputs: Sequence[Any], outputs: Sequence[tf.TensorSpec], **attributes: Any) -> list[Any]:
    """Put an ONNX operator into the graph that is being traced.

    Args:
        op_type: Operator of the default operator set, with the same meaning at every opset that is written.
        inputs: Tensors in the operator's order; None for an absent one.
        outputs: Shape (None for a dynamic axis) and dtype of the operator's first outputs.
        attributes: Numbers, strings and lists of them.

    Returns:
        The tensors of `outputs`.
    """
    token = Emitted(op_type, [value is not None for value in inputs], attributes).token()
    present = [value for value in inputs if value is not None]
    made = tf.raw_ops.PyFunc(input=present, token=token, Tout=[spec.dtype for spec in outputs])
    # A separate op keeps each shape: shapes that are set from Python are not in a GraphDef.
    return [tf.ensure_shape(value, spec.shape) for value, spec in zip(made, outputs, strict=True)]
