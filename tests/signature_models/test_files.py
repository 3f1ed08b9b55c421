"""Keras files of every kind: which Keras loads them, and that exported file and saved model compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfexport
from tests.signature_models.support import assert_agrees, export, floats, save, with_weights
from tfexport.errors import UnsupportedCheckpointError, UntrustedCodeError, WeightsOnlyError

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

X = floats(3, 6)


@keras.saving.register_keras_serializable("tests")
class Scaled(keras.layers.Layer):  # type: ignore[name-defined, misc]
    """A layer with its own weight."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")

    def call(self, x: Any) -> Any:
        return x * self.scale


@keras.saving.register_keras_serializable("tests")
class Written(keras.Model):  # type: ignore[name-defined, misc]
    """A model that is Python code."""

    def __init__(self, width: int = 4, **others: Any) -> None:
        super().__init__(**others)
        self.width = width
        self.scaled, self.dense = Scaled(), keras.layers.Dense(width)

    def call(self, x: Any) -> Any:
        return {"wide": self.dense(self.scaled(x)), "same": x * 2}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


def _functional(k: Any) -> Any:
    made = k.Input((6,), name="x")
    return with_weights(k.Model(made, k.layers.Dense(4, activation="tanh", name="y")(made)))


def _sequential(k: Any) -> Any:
    layers = [k.layers.Input((6,), name="x"), k.layers.Dense(5, name="inner"), k.layers.Dense(4, name="y")]
    return with_weights(k.Sequential(layers))


def _written(_: Any) -> Any:
    model = Written()
    model(X)
    return with_weights(model)


MODELS = {"functional": _functional, "sequential": _sequential, "written": _written}


@pytest.mark.parametrize("name", MODELS)
def test_a_keras_archive(name: str, tmp_path: Path) -> None:
    model = MODELS[name](keras)
    done = export(save(model, tmp_path / "model.keras"), tmp_path / "out")
    source = done.manifest["source"]
    assert (source["kind"], source["model_type"], source["loaded_by"]) == ("keras", None, f"keras {keras.__version__}")
    assert source["checkpoint"] == str(tmp_path / "model.keras")
    assert source["sha256"].keys() == {"model.keras"}
    assert source["options"] == {}
    assert done.manifest["feature"] == "default"
    outputs = model(X)
    assert_agrees(done.run({"x": X}), outputs if isinstance(outputs, dict) else {"y": outputs})


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
@pytest.mark.parametrize("saved_by", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["functional", "sequential"])
def test_hdf5_that_keras_3_loads(name: str, saved_by: str, suffix: str, tmp_path: Path) -> None:
    model = MODELS[name](keras if saved_by == "keras" else tf_keras)
    done = export(save(model, tmp_path / f"model{suffix}"), tmp_path / "out")
    assert done.manifest["source"]["loaded_by"] == f"keras {keras.__version__}"
    assert_agrees({"y": next(iter(done.run({done.inputs[0][0]: X}).values()))}, {"y": model(X)})


def test_hdf5_that_tf_keras_alone_loads(tmp_path: Path) -> None:
    """Keras 3 lacks locally connected layers, operators between tensors, and ``groups`` in a DepthwiseConv2D."""
    signal = tf_keras.Input((9, 4), name="signal")
    local = tf_keras.layers.LocallyConnected1D(3, 3, name="local")(signal)
    model = with_weights(tf_keras.Model(signal, [local, local * 2.0 + 1.0]))
    done = export(save(model, tmp_path / "model.h5"), tmp_path / "out")
    assert done.manifest["source"]["loaded_by"] == f"tf_keras {tf_keras.__version__}"
    feeds = {"signal": floats(2, 9, 4)}
    assert_agrees(done.run(feeds), dict(zip(model.output_names, model(feeds["signal"]), strict=True)), far=2e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_tf_keras_writes_of_a_depthwise_convolution(suffix: str, tmp_path: Path) -> None:
    image = tf_keras.Input((8, 8, 3), name="image")
    model = with_weights(tf_keras.Model(image, tf_keras.layers.DepthwiseConv2D(3, name="depthwise")(image)))
    done = export(save(model, tmp_path / f"model{suffix}"), tmp_path / "out")
    assert done.manifest["source"]["loaded_by"] == f"tf_keras {tf_keras.__version__}"
    assert_agrees(done.run({"image": floats(2, 8, 8, 3)}), {"depthwise": model(floats(2, 8, 8, 3))})


@pytest.mark.parametrize("name", ["model.weights.h5", "old_weights.h5"])
def test_weights_alone(name: str, tmp_path: Path) -> None:
    model = _functional(keras if name.endswith(".weights.h5") else tf_keras)
    file = save(model, tmp_path / name)
    with pytest.raises(WeightsOnlyError) as caught:
        tfexport.export_checkpoint(file, tmp_path / "out")
    call = f"model = ...; model.load_weights({str(file)!r}); tfexport.export_model(model, 'OUTPUT')"
    assert call in str(caught.value)
    assert "\n" not in str(caught.value)
    again = _functional(keras if name.endswith(".weights.h5") else tf_keras)
    again.layers[-1].kernel.assign(0 * again.layers[-1].kernel)
    again.load_weights(str(file))  # what the message says
    assert_agrees(export(again, tmp_path / "out").run({"x": X}), {"y": model(X)})


def test_a_folder_with_one_file(tmp_path: Path) -> None:
    model = _functional(keras)
    (tmp_path / "folder").mkdir()
    save(model, tmp_path / "folder" / "model.keras")
    (tmp_path / "folder" / "notes.txt").write_text("accuracy 0.9")
    assert_agrees(export(tmp_path / "folder", tmp_path / "out").run({"x": X}), {"y": model(X)})


def test_a_folder_with_two_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.keras", "b.h5"):
        save(_functional(keras), tmp_path / "folder" / name)
    with pytest.raises(UnsupportedCheckpointError, match=r"holds 2 Keras files: a\.keras, b\.h5\. Name one of them\."):
        tfexport.export_checkpoint(tmp_path / "folder", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_classes_that_nothing_has_registered(suffix: str, tmp_path: Path) -> None:
    """Neither Keras guesses the computation of an unknown class in a file."""

    class Strange(keras.layers.Layer):  # type: ignore[name-defined, misc]
        def call(self, x: Any) -> Any:
            return x * 3

    made = keras.Input((6,), name="x")
    model = keras.Model(made, Strange(name="odd")(made))
    file = save(model, tmp_path / f"model{suffix}")
    with pytest.raises(tfexport.errors.CheckpointError) as caught:
        tfexport.export_checkpoint(file, tmp_path / "out")
    assert "Strange" in str(caught.value)
    assert "\n" not in str(caught.value)
    if suffix == ".keras":
        assert isinstance(caught.value, UntrustedCodeError)
        assert "odd (" in str(caught.value)
        with pytest.raises(tfexport.errors.CheckpointError, match="Strange"):
            tfexport.export_checkpoint(file, tmp_path / "out", trust=True)
    with keras.saving.custom_object_scope({"Strange": Strange}):
        done = export(file, tmp_path / "out")
    np.testing.assert_allclose(done.run({"x": X})["odd"], X * 3, rtol=1e-6)
