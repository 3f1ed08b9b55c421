"""Remove transposes that undo each other."""

from __future__ import annotations

import onnx_ir as ir

from tfexport.graph.passes.base import GraphPass, is_op, permutation_of, remove


class CancelTransposes(GraphPass):
    """Merge a Transpose of a Transpose into one, and remove it where the two undo each other.

    A framework with channels last, converted to operators with channels first, has such a pair between any two operators.
    `FoldWeightTransposes` handles transposes of weights.

    Rules:
        1. Two Transposes in one graph become one of both permutations; the inner one stays where other nodes read it.
        2. A Transpose that leaves all axes in place is removed, unless its output is an output of the graph.
    """

    def rewrite(self, model: ir.Model) -> int:
        return sum(_merged(node) for node in list(model.graph.all_nodes()))


def _merged(outer: ir.Node) -> bool:
    """Merge a Transpose with the one that it reads, if there is one."""
    inner = _transpose_before(outer)
    permutation = permutation_of(outer)
    inner_permutation = None if inner is None else permutation_of(inner)
    if inner is None or permutation is None or inner_permutation is None:
        return False
    both = [inner_permutation[axis] for axis in permutation]
    outer.replace_input_with(0, inner.inputs[0])  # rule 1
    outer.attributes["perm"] = ir.AttrInt64s("perm", both)
    if both == sorted(both) and not outer.outputs[0].is_graph_output():  # rule 2
        source = outer.inputs[0]
        assert source is not None
        outer.outputs[0].replace_all_uses_with(source)
        remove(outer)
    inner_output = inner.outputs[0]
    if not inner_output.uses() and not inner_output.is_graph_output():
        remove(inner)
    return True


def _transpose_before(node: ir.Node) -> ir.Node | None:
    """Return the Transpose in the same graph that a Transpose reads; None for any other node."""
    source = node.inputs[0] if is_op(node, "Transpose") else None
    inner = None if source is None else source.producer()
    if inner is None or inner.graph is not node.graph or not is_op(inner, "Transpose") or inner.inputs[0] is None:
        return None
    return inner
