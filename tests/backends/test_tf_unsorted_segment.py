"""UnsortedSegment ops in ONNX Runtime, compared with TensorFlow and with tf2onnx's own handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.tensorflow import conversion  # noqa: E402
from tfexport.backends.tensorflow.ops import HANDLERS, unsorted_segment  # noqa: E402
from tfexport.backends.tensorflow.tracing import TracedFunction  # noqa: E402
from tfexport.errors import ConversionError  # noqa: E402

SUM, MIN, MAX, PROD = (getattr(tf.math, f"unsorted_segment_{name}") for name in ("sum", "min", "max", "prod"))
IDS = np.array([2, 0, 2, -1, 5, 0], np.int32)  # segments 1, 3 and 4 are empty, and -1 is not a segment


def _graph(op: Callable[..., Any], data: np.ndarray, opset: int = 18) -> Any:
    def call(values: Any, ids: Any, count: Any) -> tuple[Any]:
        return (tf.identity(op(values, ids, count)),)

    specs = [
        tf.TensorSpec((None, *data.shape[1:]), data.dtype, name="values"),
        tf.TensorSpec((None,), tf.int32, name="ids"),
        tf.TensorSpec((), tf.int32, name="count"),
    ]
    concrete = tf.function(call, input_signature=specs).get_concrete_function()
    traced = TracedFunction(concrete, ("values", "ids", "count"), ("made",))
    return conversion.convert_function(traced, opset, "tf2onnx").proto


def _ops(proto: Any) -> set[str]:
    return {node.op_type for node in proto.graph.node}


def _run(proto: Any, data: np.ndarray, count: int) -> np.ndarray:
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"values": data, "ids": IDS, "count": np.array(count, np.int32)})
    return np.asarray(made)


@pytest.mark.parametrize("op", [SUM, MIN, MAX, PROD], ids=["sum", "min", "max", "prod"])
@pytest.mark.parametrize("kind", [np.float32, np.int32, np.int64])
@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_it_is_what_tensorflow_computes(op: Callable[..., Any], kind: Any, shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).integers(-9, 9, size=shape).astype(kind)
    proto = _graph(op, data)
    assert "ScatterND" in _ops(proto)
    for count in (6, 9):
        np.testing.assert_array_equal(_run(proto, data, count), op(data, IDS, count).numpy())


@pytest.mark.parametrize("op", [SUM, PROD], ids=["sum", "prod"])
def test_below_the_opset_of_the_reduction_the_handler_of_tf2onnx_is_used(op: Callable[..., Any]) -> None:
    assert "TopK" in _ops(_graph(op, np.ones(6, np.float32), opset=15))


def test_tf2onnx_still_fails_on_minima_of_integers_and_still_makes_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {name: entry for name, entry in HANDLERS.items() if name not in unsorted_segment.HANDLERS}
    monkeypatch.setattr(conversion, "HANDLERS", others)
    with pytest.raises(ConversionError, match="tolist"):
        _graph(MIN, np.ones(6, np.int32))
    assert "TopK" in _ops(_graph(SUM, np.ones(6, np.float32)))
