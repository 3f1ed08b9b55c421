"""The base class of all passes, and what several of them need."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx_ir as ir

from tfexport.backends.weightless import SOURCE, source_of

Step = tuple[Hashable, Callable[[np.ndarray], np.ndarray]]
"""A key that identifies a rearrangement, and the function that computes it."""


@dataclass
class Result(ir.passes.PassResult):
    """The result of a pass.

    Attributes:
        matches: Number of places where the pass changed the graph.
    """

    matches: int = 0


class GraphPass(ir.passes.InPlacePass):
    """A pass that counts its matches. Its docstring numbers its rules, and its code names the rule that it keeps."""

    @property
    def name(self) -> str:
        """Name of the pass in the manifest."""
        return type(self).__name__

    @abstractmethod
    def rewrite(self, model: ir.Model) -> int:
        """Change a model in place, and return the number of matches."""

    def call(self, model: ir.Model) -> Result:
        matches = self.rewrite(model)
        return Result(model, modified=matches > 0, matches=matches)


def is_op(node: ir.Node | None, *types: str) -> bool:
    """Return whether a node is an operator of ONNX's own domain, of one of these types."""
    return node is not None and node.op_type in types and node.domain in ("", "ai.onnx")


def permutation_of(node: ir.Node) -> tuple[int, ...] | None:
    """Return the permutation of a Transpose; None where it reverses the axes by default."""
    attribute = node.attributes.get("perm")
    return None if attribute is None else tuple(int(axis) for axis in attribute.as_ints())


def remove(node: ir.Node) -> None:
    """Remove a node that no other node reads."""
    assert node.graph is not None
    node.graph.remove(node, safe=True)


def rearranged(tensor: ir.TensorProtocol, steps: Sequence[Step]) -> ir.LazyTensor:
    """Return a tensor that is rearranged when its values are read; one contiguous copy lives while it is written.

    Args:
        tensor: The tensor before all steps.
        steps: Rearrangements, in order. They may move elements and add constants, whatever the values are.
    """
    functions = [function for _, function in steps]
    shape = _applied(functions, np.zeros(tensor.shape.numpy(), np.bool_)).shape
    made = ir.LazyTensor(
        partial(_read, tensor, functions), dtype=tensor.dtype, shape=ir.Shape(shape), name=tensor.name, cache=False
    )
    made.meta[SOURCE] = (source_of(tensor), *(key for key, _ in steps))
    return made


def _read(tensor: ir.TensorProtocol, functions: Sequence[Callable[[np.ndarray], np.ndarray]]) -> ir.TensorProtocol:
    return ir.Tensor(np.ascontiguousarray(_applied(functions, tensor.numpy())), dtype=tensor.dtype)


def _applied(functions: Sequence[Callable[[np.ndarray], np.ndarray]], array: np.ndarray) -> np.ndarray:
    for function in functions:
        array = function(array)
    return array
