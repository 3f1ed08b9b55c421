"""Proof of placement: which execution provider computes which node, and whether that is what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfexport.errors import PlacementError, ProviderError, abbreviate

_SUFFIX = "ExecutionProvider"
CPU, CUDA = f"CPU{_SUFFIX}", f"CUDA{_SUFFIX}"

LIGHT = frozenset(
    {
        "Shape", "Size", "Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Reshape", "Cast", "Constant",
        "ConstantOfShape", "Range", "Where", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Not", "And",
        "Or", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Pow", "Sqrt", "Min", "Max", "Floor", "Ceil", "ReduceProd", "ReduceMax",
        "ReduceMin", "ReduceSum", "Expand", "Tile", "Identity", "Flatten", "NonZero", "CumSum", "Split", "Transpose",
        "MemcpyToHost", "MemcpyFromHost", "If", "Loop", "Scan",
    }
)  # fmt: skip
"""Ops that ONNX Runtime may put on the CPU on purpose, since they compute shapes (onnxruntime issue 7238). All others compute."""
_MEMCPY = "Memcpy"


@dataclass(frozen=True)
class Node:
    """A node of the graph that ONNX Runtime runs, after its optimisations.

    Attributes:
        name: of the node.
        op: its type, with its domain where that is not ONNX's.
        provider: that computes it.
    """

    name: str
    op: str
    provider: str


@dataclass(frozen=True)
class Placement:
    """Where a session computes.

    Attributes:
        asked: the provider that was asked for.
        nodes: all nodes.
    """

    asked: str
    nodes: tuple[Node, ...]

    @property
    def by_provider(self) -> dict[str, int]:
        """Number of nodes on each provider."""
        return dict(Counter(node.provider for node in self.nodes).most_common())

    @property
    def share(self) -> float:
        """Share of the nodes that the provider asked for computes."""
        return sum(node.provider == self.asked for node in self.nodes) / max(1, len(self.nodes))

    @property
    def copies(self) -> int:
        """Copies between the device and the host that ONNX Runtime put in."""
        return sum(node.op.startswith(_MEMCPY) for node in self.nodes)

    @property
    def fallen_back(self) -> tuple[Node, ...]:
        """Nodes that compute, and do so on the CPU though something else was asked for."""
        if self.asked == CPU:
            return ()
        return tuple(node for node in self.nodes if node.provider == CPU and node.op not in LIGHT)

    def check(self) -> None:
        """Refuse a session part of which fell back.

        Raises:
            PlacementError: nodes that compute are on the CPU.
        """
        fallen = self.fallen_back
        if fallen:
            listed = abbreviate((f"{node.op} ({node.name or 'no name'})" for node in fallen), 5)
            raise PlacementError(
                f"{len(fallen)} of {len(self.nodes)} nodes compute on the CPU though {self.asked} was asked for: {listed}. "
                "A time of that would be no time of the provider."
            )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "asked": self.asked,
            "nodes": self.by_provider,
            "share": round(self.share, 4),
            "copies": self.copies,
            "ops": dict(Counter(node.op for node in self.nodes).most_common()),
        }


def provider_name(name: str, available: Iterable[str]) -> str:
    """ONNX Runtime's name of a provider, from the user's: ``cuda`` or ``CUDAExecutionProvider``, in any case.

    Raises:
        ProviderError: the installed ONNX Runtime does not offer it.
    """
    offered = tuple(available)
    wanted = name.lower().removesuffix(_SUFFIX.lower())
    for each in offered:
        if each.lower().removesuffix(_SUFFIX.lower()) == wanted:
            return each
    raise ProviderError(
        f"the provider {name!r} was asked for, and the installed ONNX Runtime offers "
        f"{', '.join(map(short_name, offered))}. Nothing is run on another one in its place"
        + (": install tfexport[gpu], in place of tfexport[cpu], on a machine with a GPU." if wanted == "cuda" else ".")
    )


def short_name(provider: str) -> str:
    """The user's name of a provider: ``cpu``."""
    return provider.removesuffix(_SUFFIX).lower()


def placement_of(asked: str, subgraphs: Iterable[Any]) -> Placement:
    """From what ``InferenceSession.get_provider_graph_assignment_info`` returns.

    Args:
        asked: the provider that was asked for, in ONNX Runtime's name.
        subgraphs: objects with ``ep_name`` and ``get_nodes()``, whose items have ``name``, ``domain`` and ``op_type``.
    """
    nodes = tuple(
        Node(node.name, f"{node.domain}.{node.op_type}" if node.domain else node.op_type, part.ep_name)
        for part in subgraphs
        for node in part.get_nodes()
    )
    return Placement(asked, nodes)


def check_providers(providers: Iterable[str]) -> None:
    """Refuse providers that cannot be had before anything is run.

    Raises:
        ProviderError: the installed ONNX Runtime does not offer one.
    """
    import onnxruntime

    for provider in providers:
        provider_name(provider, onnxruntime.get_available_providers())


def open_placed(path: Path, provider: str) -> tuple[Any, Placement]:
    """An ONNX Runtime session on the provider asked for, with all optimisations, and without TensorFloat-32.

    Args:
        path: the ONNX file.
        provider: as the user calls it: ``cuda``.

    Raises:
        ProviderError: the provider cannot be had, or does not run the file.
        PlacementError: nodes that compute fell back to the CPU.
        one of `tfexport.validation.validate.RUNTIME_ERRORS`: the file does not load.
    """
    import onnxruntime

    from tfexport.validation.validate import FULL, session_options

    asked = provider_name(provider, onnxruntime.get_available_providers())
    return placed_session(path, asked, session_options(FULL), {"use_tf32": "0"} if asked == CUDA else {})


def placed_session(path: Path, asked: str, options: Any, provider_options: Mapping[str, str]) -> tuple[Any, Placement]:
    """A session on one provider and on no other, and where it computes.

    Args:
        path: the ONNX file.
        asked: the provider, in ONNX Runtime's name.
        options: of the session; an entry is added to them.
        provider_options: the provider's own.

    Raises:
        ProviderError: it runs on another one.
        PlacementError: nodes that compute fell back to the CPU.
    """
    import onnxruntime

    if asked == CUDA:
        onnxruntime.preload_dlls()  # CUDA's and cuDNN's, where they are installed as Python packages
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers: list[Any] = [(asked, dict(provider_options))]
    if asked != CPU:
        providers.append(CPU)  # for shapes, which ONNX Runtime keeps there on purpose; the placement proves the rest
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    session.disable_fallback()
    used = session.get_providers()[0]
    if used != asked:
        raise ProviderError(f"{asked} was asked for and could not be set up: the session runs on {used}.")
    found = placement_of(asked, session.get_provider_graph_assignment_info())
    found.check()
    return session, found
