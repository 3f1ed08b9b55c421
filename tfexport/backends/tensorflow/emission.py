"""An ONNX operator out of a function that TensorFlow traces.

What TensorFlow has no op for, ONNX may have one operator for. `emit` puts a node into the traced graph that stands for
it: a call of a Python function that is nowhere registered, so that neither tracing nor grappler can compute it or take it
apart. Its token says what it stands for, and ``ops/py_func.py`` writes that.
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
    """What a node in a traced graph stands for.

    Attributes:
        op_type: of the default operator set.
        present: of each input of the operator, whether it is given; the node has the inputs that are.
        attributes: of the operator.
    """

    op_type: str
    present: list[bool]
    attributes: dict[str, Any]

    def token(self) -> str:
        """The token of the node."""
        return _PREFIX + json.dumps(asdict(self))

    @staticmethod
    def of_token(token: str) -> Emitted | None:
        """What a node with this token stands for; None where the token is not ours."""
        return Emitted(**json.loads(token.removeprefix(_PREFIX))) if token.startswith(_PREFIX) else None


def emit(op_type: str, inputs: Sequence[Any], outputs: Sequence[tf.TensorSpec], **attributes: Any) -> list[Any]:
    """Put an ONNX operator into the graph that is being traced.

    Args:
        op_type: of the default operator set, with the same meaning at every opset that is written.
        inputs: tensors in the operator's order; None for one that is left out.
        outputs: shape (None for a dynamic axis) and dtype of the first outputs of the operator.
        attributes: numbers, strings and lists of them.

    Returns:
        The outputs.
    """
    token = Emitted(op_type, [value is not None for value in inputs], attributes).token()
    given = [value for value in inputs if value is not None]
    made = tf.raw_ops.PyFunc(input=given, token=token, Tout=[spec.dtype for spec in outputs])
    # An op of its own for the shapes: those set from Python are lost on the way to a GraphDef.
    return [tf.ensure_shape(value, spec.shape) for value, spec in zip(made, outputs, strict=True)]
