"""Patches of TensorFlow's vision models compute the same values, and transposes keep the right shapes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

import tf_keras  # noqa: E402
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer  # noqa: E402
from transformers.models.mobilevit.modeling_tf_mobilevit import TFMobileViTLayer  # noqa: E402

from conformance.zoo.models import tiny_model  # noqa: E402
from conformance.zoo.tiny import tiny_config, wide_config  # noqa: E402
from tests.backends.test_tensorflow import converted, run  # noqa: E402
from tfexport import OnnxConfig, export  # noqa: E402
from tfexport.backends.tensorflow import BACKEND, conversion, ops  # noqa: E402
from tfexport.backends.tensorflow.patches import mobilevit, patched_tensorflow  # noqa: E402
from tfexport.declarations.architectures import ports  # noqa: E402
from tfexport.validation import case_inputs  # noqa: E402

SIZES = [(6, 8), (7, 5), (4, 9), (3, 2)]


def _map(size: tuple[int, int], channels: int = 3) -> Any:
    return tf.constant(np.random.default_rng(0).normal(size=(2, *size, channels)).astype(np.float32))


@pytest.mark.parametrize("size", SIZES)
def test_patches_of_mobilevit(size: tuple[int, int]) -> None:
    layer = SimpleNamespace(patch_height=2, patch_width=2)
    patches, found = mobilevit._always_resized(layer, _map(size))
    expected, facts = TFMobileViTLayer.unfolding(layer, _map(size))
    np.testing.assert_array_equal(patches, expected)
    back = TFMobileViTLayer.folding(layer, patches, found)
    np.testing.assert_array_equal(back, TFMobileViTLayer.folding(layer, expected, facts))


@pytest.mark.parametrize("name", ["TFSwiftFormerModel", "TFSwiftFormerForImageClassification"])
def test_swiftformer(name: str) -> None:
    model = tiny_model("tf", name, tiny_config("swiftformer"))
    images = tf.transpose(_map((64, 96)), [0, 3, 1, 2])
    expected = model(images, training=False)[0]
    with patched_tensorflow():
        found = model(images, training=False)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_grouped_convolutions() -> None:
    """tf_keras marks their function for XLA; it is inlined nevertheless."""
    layer = tf_keras.layers.Conv2D(6, 3, strides=2, padding="same", groups=3)
    expected = layer(_map((7, 5)))
    graph = converted(layer, tf.TensorSpec([2, 7, 5, 3], tf.float32, name="x"))
    np.testing.assert_allclose(run(graph, x=_map((7, 5)).numpy())[0], expected, atol=1e-5)


@pytest.mark.parametrize("corrected", [True, False])
def test_remainders_take_the_sign_of_the_divisor(corrected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not corrected:
        left_out = {"FloorDiv", "FloorMod"}
        kept = {name: handler for name, handler in ops.HANDLERS.items() if name not in left_out}
        monkeypatch.setattr(conversion, "HANDLERS", kept)
    graph = converted(lambda x: tf.math.floormod(x, 2), tf.TensorSpec([None], tf.int32, name="x"))
    found = run(graph, x=np.array([-3, -2, 3], np.int32))[0]
    np.testing.assert_array_equal(found, [1, 0, 1] if corrected else [-1, 0, 1])


def test_floats_are_rounded_down_as_before() -> None:
    def both(x: Any) -> Any:
        return tf.stack([x // 2.0, tf.math.floormod(x, 2.0)])

    graph = converted(both, tf.TensorSpec([None], tf.float32, name="x"))
    found = run(graph, x=np.array([-3.5, 3.5], np.float32))[0]
    np.testing.assert_array_equal(found, [[-2, 1], [0.5, 1.5]])


class _OneSize(OnnxConfig):
    inputs = ports(pixel_values={0: "batch"})
    outputs = ports(last_hidden_state={0: "batch"})


@pytest.mark.parametrize("corrected", [True, False])
def test_a_map_of_one_pixel(corrected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tf2onnx 1.17.0 does not update the shape of a square whose transpose it moves."""
    if not corrected:
        monkeypatch.setattr(conversion, "_REPLACED", {"optimize_transpose": TransposeOptimizer})
    config = wide_config("convnext", image_size=16, num_stages=3, hidden_sizes=[8, 12, 16], depths=[1, 1, 1])
    model = tiny_model("tf", "TFConvNextModel", config)
    declaration = _OneSize(config)
    file = tmp_path / "model.onnx"
    export(None, model, declaration, 18, file)
    inputs = case_inputs(declaration, None, None, "tf")
    expected = BACKEND.run(model, declaration, inputs)["last_hidden_state"]
    (found,) = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, dict(inputs))
    assert expected.shape == (2, 16, 1, 1)
    if corrected:
        np.testing.assert_allclose(found, expected, atol=1e-4)
    else:
        assert found.shape == (2, 16, 1, 16)
