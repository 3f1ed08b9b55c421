"""Transposes that undo each other go, and only those."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tests.graph import texts
from tfexport.graph.passes.cancel_transposes import CancelTransposes

X = {"x": np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)}


def _transposes(model: ir.Model) -> int:
    return sum(node.op_type == "Transpose" for node in model.graph.all_nodes())


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Transpose <perm = [0, 2, 3, 1]> (x)\n b = Transpose <perm = [0, 3, 1, 2]> (a)\n y = Relu (b)", 0),
        ("a = Transpose <perm = [0, 2, 3, 1]> (x)\n b = Transpose <perm = [0, 2, 3, 1]> (a)\n y = Relu (b)", 1),
        ("a = Transpose <perm = [0, 2, 3, 1]> (x)\n y = Transpose <perm = [0, 3, 1, 2]> (a)", 1),
        (
            "a = Transpose <perm = [0, 2, 3, 1]> (x)\n b = Transpose <perm = [0, 3, 1, 2]> (a)\n c = ReduceSum (a)\n"
            " y = Add (b, c)",
            1,
        ),
        (
            "a = Transpose <perm = [1, 0, 2, 3]> (x)\n b = Transpose <perm = [0, 1, 3, 2]> (a)\n"
            " c = Transpose <perm = [0, 1, 3, 2]> (b)\n d = Transpose <perm = [1, 0, 2, 3]> (c)\n y = Relu (d)",
            0,
        ),
    ],
    ids=["undone", "turned on", "an output", "read elsewhere", "four"],
)
def test_what_is_left(body: str, left: int) -> None:
    text = f"g (float[a, b, c, d] x) => (float[e, f, g, h] y) {{\n {body}\n}}"
    expected = texts.run(texts.with_weights(text, {}), X)
    model = texts.with_weights(text, {})
    assert CancelTransposes()(model).modified
    assert _transposes(model) == left
    np.testing.assert_array_equal(texts.run(model, X)[0], expected[0])
    assert not CancelTransposes()(model).modified


def test_one_alone_is_left() -> None:
    model = texts.with_weights(
        "g (float[a, b, c, d] x) => (float[e, f, g, h] y) { y = Transpose <perm = [0, 2, 3, 1]> (x) }", {}
    )
    assert not CancelTransposes()(model).modified
