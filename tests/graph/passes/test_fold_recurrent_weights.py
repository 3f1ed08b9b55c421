"""Chains from weights to recurrent operators are folded into the weights, and only those."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx_ir as ir
import pytest

from tests.graph import texts
from tfexport.backends.weightless import SOURCE
from tfexport.graph.passes.fold_recurrent_weights import FoldRecurrentWeights

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "w": RANDOM.normal(size=(3, 4)).astype(np.float32),
    "r": RANDOM.normal(size=(1, 4, 4)).astype(np.float32),
}
X = {"x": RANDOM.normal(size=(5, 2, 3)).astype(np.float32)}
BODY = """
g (float[t, b, 3] x, float[3, 4] w, float[1, 4, 4] r) => ({outputs})
    <int64[1] front = {{0}}, int64[4] order = {{3, 0, 2, 1}}>
{{
    reordered = Gather <axis = 1> (w, order)
    turned = Transpose <perm = [1, 0]> (reordered)
    wide = Unsqueeze (turned, front)
    y, last = RNN <hidden_size = 4> (x, wide, r)
    {more}
}}
"""
ONE = "float[t, 1, b, 4] y"
TWO = f"{ONE}, float[{{shape}}] z"


@pytest.mark.parametrize(
    ("outputs", "more", "left"),
    [
        (ONE, "", 1),
        (TWO.format(shape="3, 4"), "z = Neg (w)", 5),
        (TWO.format(shape="4, 3"), "z = Neg (turned)", 5),
        (TWO.format(shape="4, 3"), "z = Identity (turned)", 5),
        (TWO.format(shape="1, b, 4"), "y2, z = RNN <hidden_size = 4> (x, wide, r)", 2),
    ],
    ids=["chain", "weight read elsewhere", "chain read elsewhere", "chain is an output", "read by two operators"],
)
def test_only_what_nothing_else_reads(outputs: str, more: str, left: int) -> None:
    body = BODY.format(outputs=outputs, more=more)
    expected = texts.run(texts.with_weights(body, WEIGHTS), X)
    model = texts.with_weights(body, WEIGHTS)
    for name, array in WEIGHTS.items():  # as backends hand them out: read when they are written
        tensor = ir.Tensor(array, name=name)
        lazy = ir.LazyTensor(partial(_itself, tensor), dtype=tensor.dtype, shape=tensor.shape, name=name)
        model.graph.initializers[name].const_value = lazy
    FoldRecurrentWeights()(model)
    assert len(list(model.graph.all_nodes())) == left
    for value, right in zip(texts.run(model, X), expected, strict=True):
        np.testing.assert_array_equal(value, right)
    if left <= 2:
        assert set(model.graph.initializers) == {"w", "r"}


PADDED = """
g (float[t, b, 3] x, float[1, 4, 3] w, float[1, 4, 4] r, float[4] b) => (float[t, 1, b, 4] y)
{
    order = Constant <value = int64[4] {3, 0, 2, 1}> ()
    pads = Constant <value = int64[2] {0, 4}> ()
    front = Constant <value = int64[1] {0}> ()
    reordered = Gather (b, order)
    both = Pad (reordered, pads)
    wide = Unsqueeze (both, front)
    y, last = RNN <hidden_size = 4> (x, w, r, wide)
}
"""


def test_constants_may_be_nodes_and_a_bias_padded() -> None:
    weights = {
        "w": RANDOM.normal(size=(1, 4, 3)).astype(np.float32),
        "r": WEIGHTS["r"],
        "b": RANDOM.normal(size=4).astype(np.float32),
    }
    expected = texts.run(texts.with_weights(PADDED, weights), X)
    model = texts.with_weights(PADDED, weights)
    for value in model.graph.initializers.values():  # as PyTorch's backend hands them out
        assert value.const_value is not None
        value.const_value.meta[SOURCE] = value.name
    FoldRecurrentWeights()(model)
    assert [node.op_type for node in model.graph] == ["RNN"]
    for found, right in zip(texts.run(model, X), expected, strict=True):
        np.testing.assert_array_equal(found, right)


def _itself(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return tensor
