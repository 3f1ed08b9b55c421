"""The canonical form: one model has it, in whatever order and under whatever numbers its nodes are given."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph import texts
from tfexport.backends.weightless import FIRST_COUNT
from tfexport.graph.canonical import canonicalise

# N stands for a number of the converter's. The tensors named x, out and w are the contract's; block__5 is the model's own name.
BODY = """
g (float[n, 3] x, bool c) => (float[n, 3] out, float[n, 3] more)
<float[3, 3] "block__5/w" = {1, 0, 0, 0, 2, 0, 0, 0, 3}, float "const__N" = {2}, float "scope/const__N:0" = {3},
 float unread = {4}> {
    "block__5/Mul:0" = MatMul (x, "block__5/w")
    "block__5/Mul__N:0" = Mul ("block__5/Mul:0", "const__N")
    "block__5/Mul__N__N:0" = Add ("block__5/Mul__N:0", "scope/const__N:0")
    "side__N" = Softmax <axis = 1> (x)
    "dead__N" = Relu ("side__N")
    "kept__N" = If (c) <
        then_branch = then__N () => (float[n, 3] "t__N") <float "inner__N" = {5}> {
            "u__N" = Mul ("side__N", "inner__N")
            "t__N" = Add ("u__N", "block__5/Mul__N__N:0")
        },
        else_branch = else__N () => (float[n, 3] "e__N") { "e__N" = Neg ("side__N") }
    >
    out = Add ("kept__N", "block__5/Mul__N:0")
    more = Sub ("block__5/Mul__N:0", "kept__N")
}
"""
FEEDS = [{"x": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.array(c)} for c in (True, False)]


def _numbered(text: str, numbers: random.Random) -> str:
    """Give each number of the converter a value; each name has one."""
    found: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        name = match[0]
        if name not in found:
            found[name] = name.replace("N", "%d") % tuple(
                FIRST_COUNT + numbers.randrange(10**6) for _ in range(name.count("__N"))
            )
        return found[name]

    return re.sub(r"[\w/]*__N[\w:]*", number, text)


def _shuffled(graph: onnx.GraphProto, order: random.Random) -> None:
    """Bring the nodes into another order in which they can be computed, and all else that has no meaning into any order."""
    made = {name for node in graph.node for name in node.output}
    waiting, done, nodes = list(graph.node), set[str](), list[onnx.NodeProto]()
    while waiting:
        ready = [node for node in waiting if not (_read(node) & made) - done]
        node = order.choice(ready)
        waiting.remove(node)
        done.update(node.output)
        nodes.append(node)
        attributes = list(node.attribute)
        order.shuffle(attributes)
        for attribute in attributes:
            if attribute.HasField("g"):
                _shuffled(attribute.g, order)
        _replace(node.attribute, attributes)
    _replace(graph.node, nodes)
    initializers = list(graph.initializer)
    order.shuffle(initializers)
    _replace(graph.initializer, initializers)


def _read(node: onnx.NodeProto) -> set[str]:
    inside = {name for attribute in node.attribute for inner in attribute.g.node for name in _read(inner)}
    return {*node.input} | inside


def _replace(field: Any, items: list[Any]) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(copies)


def _given(seed: int) -> ir.Model:
    order = random.Random(seed)
    proto = texts.proto(_numbered(BODY, order))
    for number, node in enumerate(proto.graph.node):
        node.name = (
            f"{node.output[0]}" if number % 3 else f"scope/{node.op_type}__{FIRST_COUNT + order.randrange(10**6)}"
        )
        node.metadata_props.add(key="stack_trace", value=f"/a/path/{seed}")
        node.metadata_props.add(key="namespace", value="encoder.layer.0")
    _shuffled(proto.graph, order)
    return ir.from_proto(proto)


def _canonical(seed: int) -> ir.Model:
    model = _given(seed)
    canonicalise(model)
    return model


def _bytes(model: ir.Model) -> bytes:
    return bytes(ir.to_proto(model).SerializeToString())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32))
def test_any_order_and_any_numbers_have_one_form(seed: int) -> None:
    model = _canonical(seed)
    expected = _bytes(_canonical(0))
    assert _bytes(model) == expected
    canonicalise(model)
    assert _bytes(model) == expected


def test_it_computes_the_same() -> None:
    for seed in range(3):
        model = _canonical(seed)
        onnx.checker.check_model(ir.to_proto(model), full_check=True)
        for feeds in FEEDS:
            for found, expected in zip(texts.run(model, feeds), texts.run(_given(seed), feeds), strict=True):
                np.testing.assert_array_equal(found, expected)


def test_names_keep_their_scopes() -> None:
    graph = _canonical(0).graph
    assert [value.name for value in (*graph.inputs, *graph.outputs)] == ["x", "c", "out", "more"]
    assert list(graph.initializers) == ["block__5/w", "const", "scope/const:0"]
    made = [output.name for node in graph for output in node.outputs]
    assert made == ["side", "block__5/Mul:0", "block__5/Mul_1:0", "block__5/Mul_2:0", "kept", "out", "more"]
    branches = {
        name: attribute.as_graph() for node in graph for name, attribute in node.attributes.items() if name != "axis"
    }
    assert {name: branch.name for name, branch in branches.items()} == {"else_branch": "else", "then_branch": "then"}
    assert list(branches["then_branch"].initializers) == ["inner"]


def test_metadata_goes_and_the_namespace_stays() -> None:
    nodes = [node for node in _canonical(0).graph if node.metadata_props]
    assert len(nodes) == 7
    assert all(dict(node.metadata_props) == {"namespace": "encoder.layer.0"} for node in nodes)


@pytest.mark.parametrize("depth", [20_000])
def test_a_deep_graph(depth: int) -> None:
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([1]))
    nodes, value = [], x
    for number in range(depth):
        nodes.append(ir.node("Relu", [value]))
        value = nodes[-1].outputs[0]
        value.name = f"v{number}"
    graph = ir.Graph([x], [value], nodes=reversed(nodes), opset_imports={"": 18}, name="g")
    canonicalise(ir.Model(graph, ir_version=8))
    assert [node.outputs[0].name for node in graph] == [f"v{number}" for number in range(depth)]
