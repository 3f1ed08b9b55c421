"""Take out transposes that undo each other."""

from __future__ import annotations

import onnx_ir as ir


class CancelTransposes(ir.passes.InPlacePass):
    """Let a Transpose of a Transpose read what the inner one reads, and let it go where the two undo each other.

    A framework with channels last, converted to operators with channels first, has a pair of them between any two.
    Weights are left to `FoldWeightTransposes`.

    Rules:
        1. Two Transposes in one graph become one of both permutations; the inner one stays where others read it.
        2. One that leaves all axes where they are goes, unless it makes an output of the graph.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        modified = False
        for node in list(model.graph.all_nodes()):
            outer = _permutation(node)
            inner_node = None if outer is None else node.inputs[0].producer()  # type: ignore[union-attr]
            inner = None if inner_node is None or inner_node.graph is not node.graph else _permutation(inner_node)
            if outer is None or inner is None or inner_node is None:
                continue
            both = [inner[axis] for axis in outer]
            node.replace_input_with(0, inner_node.inputs[0])  # rule 1
            node.attributes["perm"] = ir.AttrInt64s("perm", both)
            if both == sorted(both) and not node.outputs[0].is_graph_output():  # rule 2
                source = node.inputs[0]
                assert source is not None
                node.outputs[0].replace_all_uses_with(source)
                _remove(node)
            inner_output = inner_node.outputs[0]
            if not inner_output.uses() and not inner_output.is_graph_output():
                _remove(inner_node)
            modified = True
        return ir.passes.PassResult(model, modified)


def _permutation(node: ir.Node) -> list[int] | None:
    """Of a Transpose; None for any other node, and where the axes are reversed by default."""
    if node.op_type != "Transpose" or node.domain not in ("", "ai.onnx") or node.inputs[0] is None:
        return None
    attribute = node.attributes.get("perm")
    return None if attribute is None else [int(axis) for axis in attribute.as_ints()]


def _remove(node: ir.Node) -> None:
    assert node.graph is not None
    node.graph.remove(node, safe=True)
