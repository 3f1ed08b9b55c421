"""The canonical form of a model: neither the order of its nodes nor a name depends on the process that converted it.

A converter may count names for the whole process, so that a second conversion has others, and may keep its nodes in an order that
differs from process to process. The order here follows from the graph alone. A name keeps its scopes, and has a number only
where it would occur twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import onnx_ir as ir

from tfexport.backends.weightless import FIRST_COUNT

_COUNT = re.compile(rf"__{FIRST_COUNT // 10**9}\d{{{len(str(FIRST_COUNT)) - 1}}}(?!\d)")
"""The number of a converter that counts for the whole process; see `FIRST_COUNT`."""

_NAMESPACE = "namespace"
"""Key of the layers that a node is in, which the names of nodes do not tell in graphs of torch's dynamo exporter."""


def canonicalise(model: ir.Model) -> None:
    """Bring a model into its canonical form, in place. What it computes, its inputs, its outputs and its weights stay.

    1. The nodes that the outputs need stand in the order of a search, depth first, from the outputs through the inputs of each
       node. Nodes that no output needs are removed.
    2. Attributes stand in the order of their names, initializers in the order in which nodes read them.
    3. The number of a converter in a name is removed, or replaced by the lowest number that makes the name unique.
    4. A converter's metadata is removed, except the namespace of a node: it holds stack traces, with paths of this machine.

    Functions are left as they are: an exporter that writes functions writes them in a fixed order.
    """
    _order(model.graph)
    _rename(model.graph)
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in _nodes_of(model.graph):
        _forget(node)


def _order(graph: ir.Graph) -> None:
    nodes = _needed_by(graph)
    graph.remove(list(graph))
    graph.extend(nodes)
    read = dict.fromkeys(value for value in _values_read(graph) if value.is_initializer() and value.graph is graph)
    graph.initializers.clear()
    for value in read:
        graph.initializers.add(value)


def _needed_by(graph: ir.Graph) -> list[ir.Node]:
    """Return the nodes that the outputs of a graph need, each after those that it needs itself."""
    done: dict[ir.Node, None] = {}
    needed: dict[ir.Node, list[ir.Node]] = {}
    stack = _makers(reversed(graph.outputs), graph)
    while stack:
        node = stack[-1]
        if node not in needed:
            _order_inside(node)
            needed[node] = _makers((*node.inputs, *_captured(node)), graph)
        before = [each for each in needed[node] if each not in done]
        if before:
            stack.extend(reversed(before))
        else:
            done[stack.pop()] = None
    return list(done)


def _order_inside(node: ir.Node) -> None:
    """Order the attributes of a node, and the graphs in them."""
    attributes = sorted(node.attributes.items())
    node.attributes.clear()
    node.attributes.update(attributes)
    for inner in _graphs_of(node):
        _order(inner)


def _graphs_of(node: ir.Node) -> Iterator[ir.Graph]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def _captured(node: ir.Node) -> Iterator[ir.Value]:
    """Yield the values that the graphs inside a node read, those of outer graphs among them."""
    for inner in _graphs_of(node):
        yield from _values_read(inner)


def _values_read(graph: ir.Graph) -> Iterator[ir.Value]:
    for node in graph:
        yield from (value for value in node.inputs if value is not None)
        yield from _captured(node)
    yield from graph.outputs


def _makers(values: Iterable[ir.Value | None], graph: ir.Graph) -> list[ir.Node]:
    """Return the nodes of a graph that make values."""
    producers = (None if value is None else value.producer() for value in values)
    return [node for node in producers if node is not None and node.graph is graph]


def _rename(graph: ir.Graph) -> None:
    named: list[ir.Value] = list(_values_of(graph))
    nodes = list(_nodes_of(graph))
    values = _Names(str(value.name) for value in named)
    for value in named:
        value.name = values.without_count(str(value.name))
    names = _Names(node.name or "" for node in nodes)
    for node in nodes:
        node.name = names.without_count(node.name or "")
        for inner in _graphs_of(node):
            inner.name = _COUNT.sub("", inner.name or "")


def _forget(node: ir.Node) -> None:
    namespace = node.metadata_props.get(_NAMESPACE)
    node.metadata_props.clear()
    if namespace is not None:
        node.metadata_props[_NAMESPACE] = namespace
    for value in node.outputs:
        value.metadata_props.clear()
    for inner in _graphs_of(node):
        inner.metadata_props.clear()


def _nodes_of(graph: ir.Graph) -> Iterator[ir.Node]:
    """Yield each node, followed by those of its graphs."""
    for node in graph:
        yield node
        for inner in _graphs_of(node):
            yield from _nodes_of(inner)


def _values_of(graph: ir.Graph) -> Iterator[ir.Value]:
    """Yield the values that a graph and the graphs inside it name: inputs, initializers, outputs of nodes."""
    yield from graph.inputs
    yield from tuple(graph.initializers.values())
    for node in graph:
        yield from node.outputs
        for inner in _graphs_of(node):
            yield from _values_of(inner)


class _Names:
    """Names of one kind in a model; those without the number of a converter are taken from the beginning."""

    def __init__(self, names: Iterable[str]) -> None:
        self._taken = {name for name in names if not _COUNT.search(name)}
        self._last: dict[str, int] = {}

    def without_count(self, name: str) -> str:
        """Return a name without the number of a converter, unique among those that were returned."""
        counts = list(_COUNT.finditer(name))
        if not counts:
            return name
        end = counts[-1].end()
        head, tail = _COUNT.sub("", name[:end]), name[end:]
        found, number = f"{head}{tail}", self._last.get(head + tail, 0)
        while found in self._taken:
            number += 1
            found = f"{head}_{number}{tail}"
        self._last[head + tail] = number
        self._taken.add(found)
        return found
