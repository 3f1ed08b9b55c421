"""Take out Identity nodes."""

from __future__ import annotations

import onnx_ir as ir


class EliminateIdentities(ir.passes.InPlacePass):
    """Let the readers of an Identity read its input.

    onnx_ir 1.1.0 has such a pass, and breaks rule 2: it leaves a branch of an If with an output that no node of the
    branch makes.

    Rules:
        1. An Identity whose output is no graph output is removed; its readers read its input.
        2. An Identity that makes a graph output is removed only where a node of the same graph makes its input, and
           that input is no graph output itself; the input then takes the output's name.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        modified = False
        for node in list(model.graph.all_nodes()):
            if node.op_type != "Identity" or node.domain not in ("", "ai.onnx"):
                continue
            source, output = node.inputs[0], node.outputs[0]
            if source is None:
                continue
            if output.is_graph_output():
                modified |= self._make_output(node, source, output)
            else:  # rule 1
                output.replace_all_uses_with(source)
                _remove(node)
                modified = True
        return ir.passes.PassResult(model, modified)

    def _make_output(self, node: ir.Node, source: ir.Value, output: ir.Value) -> bool:
        producer = source.producer()
        if producer is None or producer.graph is not node.graph or source.is_graph_output():  # rule 2
            return False
        source.shape, source.type = output.shape or source.shape, output.type or source.type
        name = output.name
        output.replace_all_uses_with(source, replace_graph_outputs=True)
        _remove(node)
        source.name = name
        return True


def _remove(node: ir.Node) -> None:
    assert node.graph is not None
    node.graph.remove(node, safe=True)
