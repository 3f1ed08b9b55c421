"""Weights into a graph and out of it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from tests.graph import texts
from tfexport.backends.weightless import detach_weights
from tfexport.graph.attach import attach_weights

BODY = """
g (float[n, 4] x, float[3, 4] w, float[3] bias, float[2] unread) => (float[n, 3] y) {
    y = Gemm <transB = 1> (x, w, bias)
}
"""
W = np.arange(12, dtype=np.float32).reshape(3, 4)
BIAS = np.array([1, 2, 3], np.float32)
FEEDS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}
EXPECTED = FEEDS["x"] @ W.T + BIAS


def _graph() -> Any:
    return texts.weightless(BODY, {"w": W, "bias": BIAS, "unread": np.zeros(2, np.float32)})


def test_weights_become_initializers() -> None:
    model = attach_weights(_graph())
    assert [value.name for value in model.graph.inputs] == ["x"]
    assert sorted(model.graph.initializers) == ["bias", "w"]  # what nothing reads is left out
    np.testing.assert_allclose(texts.run(model, FEEDS)[0], EXPECTED)


def test_an_input_that_is_no_weight_stays_an_input() -> None:
    model = attach_weights(texts.weightless(BODY, {"w": W, "bias": BIAS}))
    assert [value.name for value in model.graph.inputs] == ["x", "unread"]


def test_a_weight_that_is_an_output_is_kept() -> None:
    body = "g (float[n, 4] x, float[3, 4] w) => (float[n, 4] y, float[3, 4] w) { y = Neg (x) }"
    model = attach_weights(texts.weightless(body, {"w": W}))
    np.testing.assert_array_equal(texts.run(model, FEEDS)[1], W)


def test_values_are_not_read() -> None:
    def read() -> ir.TensorProtocol:
        raise AssertionError("read too early")

    shape = ir.Shape(W.shape)
    lazy = ir.LazyTensor(read, dtype=ir.DataType.FLOAT, shape=shape, name="w", cache=False)
    graph = texts.weightless(BODY, {"bias": BIAS, "unread": BIAS})
    model = attach_weights(type(graph)(graph.proto, {**graph.weights, "w": lazy}, graph.route))
    value = model.graph.initializers["w"]
    assert (value.const_value, value.shape, value.dtype) == (lazy, shape, ir.DataType.FLOAT)


def test_a_shape_that_the_graph_does_not_know_is_the_tensors() -> None:
    body = BODY.replace("float[3, 4] w", "float[a, b] w")
    model = attach_weights(texts.weightless(body, {"w": W, "bias": BIAS, "unread": BIAS}))
    assert model.graph.initializers["w"].shape == ir.Shape([3, 4])


def test_round_trip() -> None:
    detached = detach_weights(attach_weights(_graph()), "again", size_threshold=16)
    assert detached.route == "again"
    assert list(detached.weights) == ["w"]  # the bias is below the threshold, and a constant of the graph
    assert [value.name for value in detached.proto.graph.input] == ["x", "w"]
    assert [value.name for value in detached.proto.graph.initializer] == ["bias"]
    np.testing.assert_allclose(texts.run(detached.proto, FEEDS | {"w": W})[0], EXPECTED)
    model = attach_weights(detached)
    assert [value.name for value in model.graph.inputs] == ["x"]
    np.testing.assert_allclose(texts.run(model, FEEDS)[0], EXPECTED)


def test_the_threshold_is_in_bytes() -> None:
    for threshold, expected in ((48, ["w"]), (49, []), (12, ["w", "bias"]), (1024, [])):
        detached = detach_weights(attach_weights(_graph()), "again", size_threshold=threshold)
        assert sorted(detached.weights) == sorted(expected)
