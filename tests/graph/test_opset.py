"""The opset asked for is the opset in the file, or an error."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.graph import texts
from tfexport.errors import OpsetError
from tfexport.graph.opset import at_opset, check_opset, opset_of

# ReduceMean takes its axes as an attribute up to opset 17, as an input from 18 on.
MEAN = "g (float[n, 4] x, float[3, 4] w) => (float[n, 1] y) { m = Gemm <transB = 1> (x, w)  y = ReduceMean <axes = [1]> (m) }"
FEEDS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}
W = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_the_version_of_the_default_operator_set() -> None:
    proto = texts.proto(MEAN, 17)
    assert opset_of(proto) == 17
    proto.opset_import.add(domain="com.microsoft", version=1)
    assert opset_of(proto) == 17
    proto.opset_import[0].domain = "ai.onnx"
    assert opset_of(proto) == 17
    del proto.opset_import[0]
    assert opset_of(proto) == 0


def test_a_graph_that_has_the_opset_is_left_alone() -> None:
    graph = texts.weightless(MEAN, {"w": W}, 17)
    assert at_opset(graph, 17) is graph


@pytest.mark.parametrize("opset", range(18, 22))
def test_up(opset: int) -> None:
    graph = texts.weightless(MEAN, {"w": W}, 17)
    converted = at_opset(graph, opset)
    assert opset_of(converted.proto) == opset
    assert opset_of(graph.proto) == 17
    assert (converted.weights, converted.route) == (graph.weights, graph.route)
    feeds = FEEDS | {"w": W}
    np.testing.assert_array_equal(texts.run(converted.proto, feeds)[0], texts.run(graph.proto, feeds)[0])
    assert "axes" not in {attribute.name for node in converted.proto.graph.node for attribute in node.attribute}
    assert [value.name for value in converted.proto.graph.input] == ["x", "w"]


def test_a_conversion_that_onnx_cannot_do_is_refused() -> None:
    body = "g (float[n, 4] x) => (float[n, 4] y) { y = LayerNormalization <axis = -1> (x, x) }"
    graph = texts.weightless(body, {}, 17)
    with pytest.raises(OpsetError, match=r"written at opset 17, .* cannot convert it to 9.*Choose opset 17") as caught:
        at_opset(graph, 9)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("opset", [-1, 0, 6, onnx.defs.onnx_opset_version() + 1, 1000])
def test_an_opset_that_onnx_does_not_know(opset: int) -> None:
    with pytest.raises(OpsetError, match=f"opset {opset} cannot be written: the installed onnx .* knows 7 to"):
        check_opset(opset)


def test_opsets_that_onnx_knows() -> None:
    newest = onnx.defs.onnx_opset_version()
    assert [check_opset(opset) for opset in (7, 18, newest)] == [7, 18, newest]
