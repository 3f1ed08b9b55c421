"""Code in a loaded file: it runs only when the user allows it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfexport
from tests.signature_models.support import assert_agrees, export, floats, save, with_weights
from tfexport.errors import UntrustedCodeError

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

X = floats(3, 6)


def _lambda(k: Any, trace: Path) -> Any:
    """Return a Lambda layer that writes a file when it is called, and needs nothing else, so that it can be marshalled."""
    code = f"lambda x: (open({str(trace)!r}, 'a').close(), x * 2)[1]"
    return k.layers.Lambda(eval(code), output_shape=(6,), name="sly")


def _nested(k: Any, trace: Path) -> Any:
    inner = k.Input((6,), name="inner_x")
    inside = k.Model(inner, _lambda(k, trace)(inner), name="inside")
    made = k.Input((6,), name="x")
    return with_weights(k.Model(made, k.layers.Dense(4, name="y")(inside(made))))


def _flat(k: Any, trace: Path) -> Any:
    made = k.Input((6,), name="x")
    return with_weights(k.Model(made, k.layers.Dense(4, name="y")(_lambda(k, trace)(made))))


def _wrapped(k: Any, trace: Path) -> Any:
    made = k.Input((2, 6), name="x")
    return with_weights(k.Model(made, k.layers.TimeDistributed(_lambda(k, trace), name="y")(made)))


MODELS: dict[str, Callable[[Any, Path], Any]] = {"flat": _flat, "nested": _nested, "wrapped": _wrapped}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", MODELS)
def test_a_lambda(name: str, package: str, suffix: str, tmp_path: Path) -> None:
    trace, parent = tmp_path / "trace", tmp_path / "parent"
    parent.mkdir()
    model = MODELS[name](keras if package == "keras" else tf_keras, trace)
    file = save(model, tmp_path / f"model{suffix}")
    x = X if name != "wrapped" else floats(3, 2, 6)
    expected = model(x)
    assert trace.exists()  # it does write when it is called
    trace.unlink()
    with pytest.raises(UntrustedCodeError) as caught:
        tfexport.export_checkpoint(file, parent / "out")
    assert "sly (Lambda)" in str(caught.value)
    assert "--trust (trust=True)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    assert list(parent.iterdir()) == []
    done = export(file, parent / "out", trust=True)
    assert trace.exists()
    assert_agrees({"y": next(iter(done.run({done.inputs[0][0]: x}).values()))}, {"y": expected})
    assert done.manifest["source"]["options"] == {"trust": True}


def test_a_saved_model_as_a_layer(tmp_path: Path) -> None:
    """TFSMLayer runs a program of TensorFlow."""
    _flat(keras, tmp_path / "trace").export(str(tmp_path / "saved"), verbose=False)
    (tmp_path / "trace").unlink()
    made = keras.Input((6,), name="x")
    layer = keras.layers.TFSMLayer(str(tmp_path / "saved"), call_endpoint="serve", name="program")
    file = save(keras.Model(made, layer(made)), tmp_path / "model.keras")
    with pytest.raises(UntrustedCodeError, match=r"program \(TFSMLayer\)"):
        tfexport.export_checkpoint(file, tmp_path / "out")
    expected = layer(X)
    done = export(file, tmp_path / "out", trust=True)
    np.testing.assert_allclose(next(iter(done.run({"x": X}).values())), expected, rtol=1e-5, atol=1e-5)


def test_a_saved_model(tmp_path: Path) -> None:
    """The program would write a file when it runs."""

    class Writes(tf.Module):  # type: ignore[name-defined, misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            with tf.control_dependencies([tf.io.write_file(str(tmp_path / "trace"), "ran")]):
                return {"y": tf.identity(x)}

    module = Writes()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.__call__)
    (tmp_path / "parent").mkdir()
    with pytest.raises(UntrustedCodeError) as caught:
        tfexport.export_checkpoint(tmp_path / "saved", tmp_path / "parent" / "out")
    assert "is a SavedModel" in str(caught.value)
    assert "--trust (trust=True)" in str(caught.value)
    assert not (tmp_path / "trace").exists()
    assert list((tmp_path / "parent").iterdir()) == []
    done = export(tmp_path / "saved", tmp_path / "parent" / "out", trust=True)
    (tmp_path / "trace").unlink()  # it did write
    np.testing.assert_array_equal(done.run({"x": X})["y"], X)
    assert not (tmp_path / "trace").exists()  # a file of ONNX does not


def _edited(file: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Write a Keras archive with another configuration of its second layer."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    edit(config["config"]["layers"][1])
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


def _names_a_function(layer: dict[str, Any]) -> None:
    layer["config"]["activation"] = {
        "module": "sly_module",
        "class_name": "function",
        "config": "relu",
        "registered_name": "relu",
    }


def _names_a_class(layer: dict[str, Any]) -> None:
    layer.update(module="sly_module", class_name="Sly", registered_name="sly>Sly")


@pytest.mark.parametrize("edit", [_names_a_function, _names_a_class])
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_module_that_a_file_names_is_not_imported(
    package: str, edit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tf_keras imports every module that a file names, even in its safe mode: an attacker needs only the import."""
    k = keras if package == "keras" else tf_keras
    made = k.Input((6,), name="x")
    file = save(k.Model(made, k.layers.Dense(4, name="y")(made)), tmp_path / "model.keras")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "sly_module.py").write_text(
        f"open({str(tmp_path / 'trace')!r}, 'w').close()\n\n\ndef relu(x):\n    return x * 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    with pytest.raises(UntrustedCodeError, match=r"y \(sly_module\.(relu|Sly)\)"):
        tfexport.export_checkpoint(_edited(file, edit), tmp_path / "out")
    assert not (tmp_path / "trace").exists()
    if package == "tf_keras" and edit is _names_a_function:
        done = export(file, tmp_path / "out", trust=True)  # the proof that it would have been
        assert (tmp_path / "trace").exists()
        assert not done.run({"x": X})["y"].any()


def test_a_file_that_reads_others(tmp_path: Path) -> None:
    """A function of TensorFlow can be a layer of tf_keras."""
    made = tf_keras.Input((6,), name="x")
    model = tf_keras.Model(made, tf.nn.relu(made))
    file = save(model, tmp_path / "model.keras")
    done = export(file, tmp_path / "out")
    np.testing.assert_array_equal(next(iter(done.run({"x": X}).values())), np.maximum(X, 0))
    _edited(file, lambda layer: layer["config"].update(function="io.read_file"))
    with pytest.raises(UntrustedCodeError, match=r"tf\.nn\.relu \(TFOpLambda of tf\.io\.read_file\)"):
        tfexport.export_checkpoint(file, tmp_path / "other")
