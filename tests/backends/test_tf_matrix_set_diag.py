"""MatrixSetDiagV3 on matrices whose lengths are known only at run time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tests.backends.test_tensorflow import converted, run  # noqa: E402
from tfexport.errors import ConversionError, OpsetError  # noqa: E402

SHAPES = [(4, 4), (1, 1), (3, 5), (5, 3), (2, 3, 4, 4), (2, 1, 3, 2)]


def _specs(rank: int, dtype: Any = tf.float32) -> tuple[Any, Any]:
    matrix, diagonal = [None] * rank, [None] * (rank - 1)
    return tf.TensorSpec(matrix, dtype, name="matrix"), tf.TensorSpec(diagonal, dtype, name="diagonal")


def _values(shape: tuple[int, ...], k: int, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    length = np.diagonal(np.zeros(shape), k, -2, -1).shape[-1]
    random = np.random.default_rng(0)
    matrix, diagonal = random.normal(size=shape), random.normal(size=(*shape[:-2], length))
    return (10 * matrix).astype(dtype), (10 * diagonal).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [0, 1, -1, 2, -2])
def test_one_diagonal(shape: tuple[int, ...], k: int) -> None:
    matrix, diagonal = _values(shape, k)
    if diagonal.shape[-1] == 0:
        pytest.skip("the matrix has no such diagonal")
    graph = converted(lambda m, d: tf.linalg.set_diag(m, d, k=k), *_specs(len(shape)))
    expected = tf.linalg.set_diag(matrix, diagonal, k=k).numpy()
    np.testing.assert_array_equal(run(graph, matrix=matrix, diagonal=diagonal)[0], expected)


def test_integers_and_an_older_opset() -> None:
    matrix, diagonal = _values((3, 4), 0, np.int64)
    graph = converted(tf.linalg.set_diag, *_specs(2, tf.int64), opset=12)
    expected = tf.linalg.set_diag(matrix, diagonal).numpy()
    np.testing.assert_array_equal(run(graph, matrix=matrix, diagonal=diagonal)[0], expected)


def test_a_diagonal_that_is_known_only_at_run_time_is_refused() -> None:
    with pytest.raises(ConversionError, match="one diagonal"):
        converted(lambda m, d, k: tf.linalg.set_diag(m, d, k=k), *_specs(2), tf.TensorSpec([], tf.int32, name="k"))


def test_too_low_an_opset_is_an_error_that_names_op_layer_and_lowest_opset() -> None:
    def masked(matrix: Any, diagonal: Any) -> Any:
        with tf.name_scope("text_model/mask"):
            return tf.linalg.set_diag(matrix, diagonal)

    expected = r"^MatrixSetDiagV3 in text_model/mask/\S+ needs opset 12 or higher; 11 was requested\. Pass --opset 12 "
    with pytest.raises(OpsetError, match=expected):
        converted(masked, *_specs(2), opset=11)


def test_it_is_still_invalid_upstream() -> None:
    """Fails once tf2onnx imports every domain whose ops it writes. Then our handler can be removed."""
    import tf2onnx

    specs = _specs(2)
    function = tf.function(tf.linalg.set_diag, input_signature=specs)
    proto, _ = tf2onnx.convert.from_function(function, specs, opset=18)
    imported = {entry.domain for entry in proto.opset_import}
    assert "com.microsoft" in {node.domain for node in _nodes(proto.graph)} - imported


def _nodes(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g)
