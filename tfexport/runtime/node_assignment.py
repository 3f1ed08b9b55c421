"""Which execution provider computes which node of a session, and whether that is the provider that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tfexport.errors import PlacementError, abbreviate
from tfexport.runtime.names import CPU

LIGHT = frozenset(
    {
        "Shape", "Size", "Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Reshape", "Cast", "Constant",
        "ConstantOfShape", "Range", "Where", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Not", "And",
        "Or", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Pow", "Sqrt", "Min", "Max", "Floor", "Ceil", "ReduceProd", "ReduceMax",
        "ReduceMin", "ReduceSum", "Expand", "Tile", "Identity", "Flatten", "NonZero", "CumSum", "Split", "Transpose",
        "MemcpyToHost", "MemcpyFromHost", "If", "Loop", "Scan",
    }
)  # fmt: skip
"""Ops that ONNX Runtime may assign to the CPU on purpose, since they compute shapes (onnxruntime issue 7238)."""
_MEMCPY = "Memcpy"


@dataclass(frozen=True)
class Node:
    """A node of the graph that ONNX Runtime runs, after its optimisations.

    Attributes:
        name: name of the node.
        op: type of the node, with its domain where that is not ONNX's own.
        provider: the provider that computes the node.
    """

    name: str
    op: str
    provider: str


@dataclass(frozen=True)
class NodeAssignment:
    """The provider of each node of a session.

    Attributes:
        asked: the provider that was asked for.
        nodes: all nodes.
    """

    asked: str
    nodes: tuple[Node, ...]

    @property
    def by_provider(self) -> dict[str, int]:
        """Number of nodes per provider."""
        return dict(Counter(node.provider for node in self.nodes).most_common())

    @property
    def share(self) -> float:
        """Share of the nodes that the provider asked for computes."""
        return sum(node.provider == self.asked for node in self.nodes) / max(1, len(self.nodes))

    @property
    def copies(self) -> int:
        """Number of copies between the device and the host that ONNX Runtime inserted."""
        return sum(node.op.startswith(_MEMCPY) for node in self.nodes)

    @property
    def fallen_back(self) -> tuple[Node, ...]:
        """Nodes that run on the CPU though another provider was asked for, other than those that compute shapes."""
        if self.asked == CPU:
            return ()
        return tuple(node for node in self.nodes if node.provider == CPU and node.op not in LIGHT)

    def check(self) -> None:
        """Refuse a session part of which fell back to the CPU.

        Raises:
            PlacementError: nodes that compute are on the CPU.
        """
        fallen = self.fallen_back
        if fallen:
            listed = abbreviate((f"{node.op} ({node.name or 'no name'})" for node in fallen), 5)
            raise PlacementError(
                f"{len(fallen)} of {len(self.nodes)} nodes compute on the CPU though {self.asked} was asked for: {listed}. "
                f"This session would not measure {self.asked}. Choose another provider (--providers)."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the assignment for JSON."""
        return {
            "asked": self.asked,
            "nodes": self.by_provider,
            "share": round(self.share, 4),
            "copies": self.copies,
            "ops": dict(Counter(node.op for node in self.nodes).most_common()),
        }


def assignment_of(asked: str, subgraphs: Iterable[Any]) -> NodeAssignment:
    """Read the result of ``InferenceSession.get_provider_graph_assignment_info``.

    Args:
        asked: ONNX Runtime's name of the provider that was asked for.
        subgraphs: objects with ``ep_name`` and ``get_nodes()``, whose items have ``name``, ``domain`` and ``op_type``.
    """
    nodes = tuple(
        Node(node.name, f"{node.domain}.{node.op_type}" if node.domain else node.op_type, part.ep_name)
        for part in subgraphs
        for node in part.get_nodes()
    )
    return NodeAssignment(asked, nodes)
