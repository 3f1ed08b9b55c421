"""Ops that tf2onnx maps along the wrong axis: the bias for channels first, and a gather along the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.tensorflow import conversion, ops  # noqa: E402
from tfexport.backends.tensorflow.tracing import TracedFunction  # noqa: E402
from tfexport.errors import ConversionError  # noqa: E402

IMAGE = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
BIAS = np.array([1.0, 20.0, 300.0], np.float32)


def _converted(call: Any, opset: int = 18) -> np.ndarray:
    function = tf.function(call, input_signature=[tf.TensorSpec((None, 3, 3, 3), tf.float32, name="image")])
    concrete = function.get_concrete_function()
    graph = conversion.convert_function(TracedFunction(concrete, ("image",), ("out",)), opset, "tf2onnx")
    weights = {name: np.asarray(tensor.numpy()) for name, tensor in graph.weights.items()}
    session = onnxruntime.InferenceSession(graph.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"image": IMAGE, **weights})
    return np.asarray(out)


@pytest.fixture
def bias() -> Any:
    return tf.Variable(BIAS, name="bias")


def _with_bias(bias: Any) -> Any:
    return lambda image: tf.identity(tf.nn.bias_add(image, bias, data_format="NCHW"))


@pytest.mark.parametrize("opset", [11, 18])
def test_the_bias_of_channels_first(bias: Any, opset: int) -> None:
    np.testing.assert_allclose(_converted(_with_bias(bias), opset), IMAGE + BIAS[:, None, None], rtol=1e-6)


def test_the_bias_of_channels_last(bias: Any) -> None:
    out = _converted(lambda image: tf.identity(tf.nn.bias_add(image, bias)))
    np.testing.assert_allclose(out, IMAGE + BIAS, rtol=1e-6)


def test_the_bias_is_still_silently_wrong(bias: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails once tf2onnx (1.17.0) adds it along the channels of a square image too. Then the handler can be removed."""
    monkeypatch.delitem(ops.HANDLERS, "BiasAdd")
    np.testing.assert_allclose(_converted(_with_bias(bias)), IMAGE + BIAS, rtol=1e-6)


def _shuffled(image: Any) -> Any:
    order = tf.tile(tf.constant([[2, 0, 1]]), (tf.shape(image)[0], 1))
    return tf.identity(tf.gather(image, order, batch_dims=-1))


def test_a_gather_along_the_last_axis() -> None:
    np.testing.assert_array_equal(_converted(_shuffled), IMAGE[..., [2, 0, 1]])


def test_a_gather_with_batch_axes_counted_from_the_first() -> None:
    order = tf.constant([[2, 0], [1, 1]])
    out = _converted(lambda image: tf.identity(tf.gather(image, order, axis=2, batch_dims=1)))
    np.testing.assert_array_equal(out, np.stack([IMAGE[0][:, [2, 0]], IMAGE[1][:, [1, 1]]]))


def test_a_gather_without_batch_axes() -> None:
    out = _converted(lambda image: tf.identity(tf.gather(image, [2, 0], axis=-1)), opset=11)
    np.testing.assert_array_equal(out, IMAGE[..., [2, 0]])


def test_the_gather_is_still_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails once tf2onnx (1.17.0) normalises negative axes. Then the handler can be removed."""
    monkeypatch.delitem(ops.HANDLERS, "GatherV2")
    try:
        wrong = _converted(_shuffled)
    except (ConversionError, *_RUNTIME_ERRORS):
        return
    assert wrong.shape != IMAGE.shape or not np.array_equal(wrong, IMAGE[..., [2, 0, 1]])


_RUNTIME_ERRORS = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
)
