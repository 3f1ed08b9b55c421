"""Keras files that were made to do harm, through the command line: no code runs, and each is one typed error."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import support
from tests.signature_models.support import save
from tests.support import Ran

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")
h5py = pytest.importorskip("h5py", reason="the TensorFlow backend's tests need TensorFlow")

Cli = Callable[..., Ran]
Edit = Callable[[dict[str, Any], Path], None]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for package in (keras, tf_keras):
        made = package.Input((6,), name="x")
        model = package.Model(made, package.layers.Dense(4, name="y")(made))
        for suffix in (".keras", ".h5"):
            save(model, folder / f"{package.__name__}{suffix}")
    return folder


def _edited(file: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the configuration of a model."""
    if file.suffix == ".h5":
        with h5py.File(file, "r+") as opened:
            config = json.loads(opened.attrs["model_config"])
            edit(config)
            del opened.attrs["model_config"]
            opened.attrs["model_config"] = json.dumps(config)
        return
    _repacked(file, "config.json", lambda content: _edited_text(content, edit))


def _edited_text(content: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    config = json.loads(content)
    edit(config)
    return json.dumps(config).encode()


def _repacked(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(file, "w") as archive:
        for each, content in parts.items():
            archive.writestr(each, content)


def _layer(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["config"]["layers"][1]
    return found


def _writes(function: str, name: str = "TFOpLambda", registered: str = "TFOpLambda") -> Edit:
    """Put an op between the input and the layer that writes a file, with its name and content as constants."""

    def edit(config: dict[str, Any], target: Path) -> None:
        layer = _layer(config)
        layer["class_name"] = name
        layer["config"] = {"name": "y", "trainable": True, "dtype": "float32", "function": function}
        layer["inbound_nodes"] = [["_CONSTANT_VALUE", -1, str(target), {"contents": "ran"}]]
        if "module" in layer:
            layer.update(module="tf_keras.src.layers.core.tf_op_layer", registered_name=registered)

    return edit


def _exits(config: dict[str, Any], target: Path) -> None:
    _layer(config)["config"]["activation"] = {
        "module": "tf_keras.src.activations",
        "class_name": "function",
        "config": "sys.exit",
        "registered_name": "Custom>Adam",
    }


def _reads_words(config: dict[str, Any], target: Path) -> None:
    _layer(config).update(class_name="StringLookup", config={"name": "y", "vocabulary": "/dev/zero"})


def _units(config: dict[str, Any], target: Path) -> None:
    _layer(config)["config"]["units"] = 500_000_000


def _input(config: dict[str, Any], target: Path) -> None:
    first = config["config"]["layers"][0]["config"]
    first["batch_shape" if "batch_shape" in first else "batch_input_shape"] = [2**40, 6]


def _escapes(config: dict[str, Any], target: Path) -> None:
    _layer(config).update(class_name="\x1b[31m" + "y" * 50_000)
    _layer(config)["config"]["name"] = "\x1b]0;x\x07"


CODE = "holds code that runs when it is loaded"
CASES: dict[str, tuple[str, Edit, str]] = {
    "op of version 1": ("tf_keras.h5", _writes("compat.v1.write_file"), CODE),
    "op of version 1 in an archive": ("tf_keras.keras", _writes("compat.v1.write_file"), CODE),
    "op by another name": ("tf_keras.keras", _writes("io.write_file", "Custom>Adam"), CODE),
    "op as a slice": ("tf_keras.h5", _writes("io.write_file", "SlicingOpLambda"), CODE),
    "exit": ("tf_keras.keras", _exits, CODE),
    "file of words": ("tf_keras.h5", _reads_words, CODE),
    "names": ("keras.keras", _escapes, CODE),
    "units": ("keras.keras", _units, "asks for at least 3,000,000,000 values in 1 weights"),
    "units of tf_keras": ("tf_keras.h5", _units, "asks for at least"),
    "input": ("tf_keras.h5", _input, "can be tried"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_configuration(name: str, cli: Cli, models: Path, tmp_path: Path) -> None:
    model, edit, message = CASES[name]
    file = tmp_path / model
    shutil.copy(models / model, file)
    _edited(file, lambda config: edit(config, tmp_path / "written"))
    _assert_refused(cli("export", "-m", file, tmp_path / "parent" / "out"), message, tmp_path)


def _assert_refused(ran: Ran, message: str, folder: Path) -> None:
    assert ran.code == 2, ran.err
    assert ran.out == ""
    assert len(ran.errors) == 1, ran.err
    assert message in ran.errors[0]
    assert len(ran.errors[0]) < 2000
    assert "unexpected" not in ran.err
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err
    assert not (folder / "written").exists()
    assert not list((folder / "parent").glob("*"))


def _external(opened: Any, folder: Path) -> None:
    """Store the first weight in a file of the victim's."""
    found: list[str] = []
    opened.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and item.ndim == 2 else None
    )
    shape = opened[found[0]].shape
    (folder / "secret").write_bytes(b"SECRET!!" * int(np.prod(shape)))
    del opened[found[0]]
    opened.create_dataset(found[0], shape, "f4", external=[(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize("model", ["keras.keras", "tf_keras.keras", "tf_keras.h5"])
def test_weights_in_another_file(model: str, cli: Cli, models: Path, tmp_path: Path) -> None:
    file, weights = tmp_path / model, tmp_path / "weights.h5"
    shutil.copy(models / model, file)
    if file.suffix == ".h5":
        with h5py.File(file, "r+") as opened:
            _external(opened, tmp_path)
    else:

        def change(content: bytes) -> bytes:
            weights.write_bytes(content)
            with h5py.File(weights, "r+") as opened:
                _external(opened, tmp_path)
            return weights.read_bytes()

        _repacked(file, "model.weights.h5", change)
    _assert_refused(cli("export", "-m", file, tmp_path / "parent" / "out"), "is stored in another file", tmp_path)


def test_weights_of_transformers_in_another_file(bert: Callable[[str], Path], cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(bert("h5"), folder)
    with h5py.File(folder / "tf_model.h5", "r+") as opened:
        _external(opened, tmp_path)
    _assert_refused(cli("export", "-m", folder, tmp_path / "parent" / "out"), "is stored in another file", tmp_path)


def test_the_users_choice_for_other_programs(models: Path, tmp_path: Path) -> None:
    """The command line is a process of its own, which chooses for itself."""
    ran = support.tfexport("export", "-m", models / "keras.keras", tmp_path / "out", KERAS_BACKEND="evil")
    assert ran.code == 0, ran.err


def test_keras_is_imported_where_it_is_needed() -> None:
    """Neither backend imports it by itself: with this choice it could not be imported."""
    ran = support.python(
        "import sys, tfexport.backends.tensorflow, tfexport.backends.pytorch; print('keras' in sys.modules)",
        KERAS_BACKEND="evil",
    )
    assert (ran.code, ran.out.split()) == (0, ["False"]), ran.err
