"""Patches of Keras 3 itself: each model converts with them, and fails or converts worse without them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from tfexport import export_checkpoint
from tfexport.backends.tensorflow import patches
from tfexport.errors import TfExportError

RANDOM = np.random.default_rng(0)


def _normalised(**options: Any) -> Any:
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3), name="image")
    layer = keras.layers.BatchNormalization(**options)
    model = keras.Model(images, layer(keras.layers.Conv2D(4, 3)(images)))
    for weight in layer.weights:
        weight.assign(RANDOM.uniform(0.5, 2.0, weight.shape))
    return model


def _exported(model: Any, folder: Path) -> onnx.ModelProto:
    export_checkpoint(model, folder)
    return onnx.load(str(folder / "model.onnx"))


@pytest.mark.parametrize(
    "options", [{}, {"scale": False}, {"center": False, "scale": False}, {"epsilon": 0.1}], ids=str
)
def test_batch_normalisation_is_one_operator(options: dict[str, Any], tmp_path: Path) -> None:
    model = _normalised(**options)
    ops = Counter(node.op_type for node in _exported(model, tmp_path / "out").graph.node)
    assert ops["BatchNormalization"] == 1
    assert ops["Sqrt"] == 0
    assert ops["Transpose"] <= 2
    images = RANDOM.normal(size=(2, 33, 40, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    np.testing.assert_allclose(session.run(None, {"image": images})[0], model(images), atol=2e-5)


def test_batch_normalisation_along_other_axes_is_as_it_was(tmp_path: Path) -> None:
    rows = keras.Input((7, 5), name="rows")
    layer = keras.layers.BatchNormalization(axis=1)
    model = keras.Model(rows, layer(rows))
    for weight in layer.weights:
        weight.assign(RANDOM.uniform(0.5, 2.0, weight.shape))
    assert not [node for node in _exported(model, tmp_path / "out").graph.node if node.op_type == "BatchNormalization"]


@pytest.mark.parametrize("patched", [True, False])
def test_a_size_that_is_known_only_when_it_runs(patched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = keras.Input((None, None, 3), name="image")
    model = keras.Model(images, keras.layers.UpSampling2D(interpolation="bilinear")(images))
    if patched:
        assert "Resize" in {node.op_type for node in _exported(model, tmp_path / "out").graph.node}
        return
    kept = tuple(module for module in patches.MODULES if not module.__name__.endswith(".keras_resize"))
    monkeypatch.setattr(patches, "MODULES", kept)
    with pytest.raises(TfExportError, match="cannot trace"):
        export_checkpoint(model, tmp_path / "out")
