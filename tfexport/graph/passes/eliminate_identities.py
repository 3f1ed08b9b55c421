"""Remove Identity nodes."""

from __future__ import annotations

import onnx_ir as ir

from tfexport.graph.passes.base import GraphPass, is_op, remove


class EliminateIdentities(GraphPass):
    """Let the readers of an Identity read its input.

    onnx_ir 1.1.0 has such a pass, which breaks rule 2: it leaves a branch of an If with an output that no node of the branch
    makes.

    Rules:
        1. An Identity whose output is not a graph output is removed; its readers read its input.
        2. An Identity that makes a graph output is removed only where a node of the same graph makes its input, and that input
           is not a graph output itself; the input then takes the output's name.
    """

    def rewrite(self, model: ir.Model) -> int:
        return sum(_eliminated(node) for node in list(model.graph.all_nodes()))


def _eliminated(node: ir.Node) -> bool:
    source = node.inputs[0] if is_op(node, "Identity") else None
    if source is None:
        return False
    output = node.outputs[0]
    if output.is_graph_output():
        return _made_output(node, source, output)
    output.replace_all_uses_with(source)  # rule 1
    remove(node)
    return True


def _made_output(node: ir.Node, source: ir.Value, output: ir.Value) -> bool:
    """Make the input of an Identity the graph output that the Identity is, where rule 2 allows it."""
    producer = source.producer()
    if producer is None or producer.graph is not node.graph or source.is_graph_output():  # rule 2
        return False
    source.shape, source.type = output.shape or source.shape, output.type or source.type
    name = output.name
    output.replace_all_uses_with(source, replace_graph_outputs=True)
    remove(node)
    source.name = name
    return True
