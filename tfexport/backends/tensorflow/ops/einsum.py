"""Einsum with an ellipsis, which is replaced by one letter per axis.

A pass of tf2onnx 1.17.0 turns Einsum into MatMul, and raises at an ellipsis. The ranks of the operands determine the number of
axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from tf2onnx.onnx_opset.math import Einsum

from tfexport.backends.tensorflow.op_handler import Handler
from tfexport.backends.versions import Versions

VERSIONS = Versions("tf2onnx", ">=1.17,<1.18")

_ELLIPSIS = "..."


def convert(graph: Any, node: Any) -> None:
    """Write the equation out where the ranks are known, then call tf2onnx's own handler."""
    shapes = [graph.get_shape(tensor) for tensor in node.input]
    equation = node.get_attr_value("equation").decode()
    if _ELLIPSIS in equation and None not in shapes:
        node.attr["equation"].s = written_out(equation, [len(shape) for shape in shapes]).encode()
    Einsum.version_12(graph, node)


def written_out(equation: str, ranks: Sequence[int]) -> str:
    """Return an equation without an ellipsis.

    Args:
        equation: Equation with an arrow, as in TensorFlow's op.
        ranks: Number of axes of each operand.
    """
    operands, _, result = equation.partition("->")
    terms = operands.split(",")
    hidden = [rank - len(term.replace(_ELLIPSIS, "")) for term, rank in zip(terms, ranks, strict=True)]
    free = [letter for letter in ascii_lowercase if letter not in equation.lower()]
    letters = "".join(free[: max(hidden)])
    written = [
        term.replace(_ELLIPSIS, letters[len(letters) - count :]) for term, count in zip(terms, hidden, strict=True)
    ]
    return f"{','.join(written)}->{result.replace(_ELLIPSIS, letters)}"


HANDLERS = {"Einsum": Handler(convert)}
