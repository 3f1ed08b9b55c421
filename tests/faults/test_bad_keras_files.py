"""Broken Keras files and SavedModels, through the command line: one clear error, nothing left behind."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tests.signature_models.support import save
from tests.support import Ran

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

Cli = Callable[..., Ran]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model in each form."""
    folder = tmp_path_factory.mktemp("models")
    made = keras.Input((6,), name="x")
    model = keras.Model(made, keras.layers.Dense(4, name="y")(made))
    for name in ("model.keras", "model.h5", "model.weights.h5"):
        save(model, folder / name)
    model.export(str(folder / "saved"), verbose=False)
    return folder


def _cut(share: float) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def _in_archive(change: Callable[[str, bytes], bytes | None]) -> Callable[[Path], object]:
    """Change or remove parts of an archive."""

    def spoil(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                if content is not None:
                    archive.writestr(name, content)

    return spoil


def _config(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def change(name: str, content: bytes) -> bytes:
        if name != "config.json":
            return content
        config = json.loads(content)
        edit(config)
        return json.dumps(config).encode()

    return _in_archive(change)


def _other_package(package: str) -> Callable[[Path], object]:
    return _config(
        lambda config: config["config"]["layers"][1].update(
            module=f"{package}.layers", class_name="Odd", registered_name=f"{package}>Odd"
        )
    )


FAULTS: dict[str, tuple[str, Callable[[Path], object], list[str], str]] = {
    "truncated archive": ("model.keras", _cut(0.6), [], "model.keras is not a readable Keras archive"),
    "empty archive": ("model.keras", _cut(0), [], "model.keras is not a Keras archive (zip), though its name says so"),
    "other zip": (
        "model.keras",
        _in_archive(lambda name, content: content if name == "metadata.json" else None),
        [],
        "does not hold 'config.json'",
    ),
    "configuration that is no JSON": (
        "model.keras",
        _in_archive(lambda name, content: content[:50] if name == "config.json" else content),
        [],
        "model.keras is not JSON",
    ),
    "archive without weights": (
        "model.keras",
        _in_archive(lambda name, content: None if "weights" in name else content),
        [],
        "Expected a model.weights.h5",
    ),
    "truncated weights": (
        "model.keras",
        _in_archive(lambda name, content: content[:1000] if "weights" in name else content),
        [],
        "truncated file",
    ),
    "package of layers that is not installed": (
        "model.keras",
        _other_package("keras_cv"),
        [],
        "has layers of keras_cv, which is not installed. Install keras-cv.",
    ),
    "package that nobody knows": ("model.keras", _other_package("strange"), [], "y (strange.layers.Odd)"),
    "package that nobody knows, trusted": (
        "model.keras",
        _other_package("strange"),
        ["--trust"],
        "Could not locate class 'Odd'",
    ),
    "truncated h5": ("model.h5", _cut(0.6), [], "model.h5 is not a readable HDF5 file"),
    "h5 cut at its end": ("model.h5", _cut(0.97), [], "model.h5 is not a readable HDF5 file"),
    "h5 that is a pointer": (
        "model.h5",
        lambda file: file.write_text("version https://git-lfs.github.com/spec/v1"),
        [],
        "model.h5 is not an HDF5 file",
    ),
    "weights alone": ("model.weights.h5", lambda file: None, [], "model = ...; model.load_weights("),
    "SavedModel that is not trusted": ("saved", lambda folder: None, [], "is a SavedModel: a TensorFlow program"),
    "truncated SavedModel": (
        "saved",
        lambda folder: _cut(0.5)(folder / "saved_model.pb"),
        ["--trust"],
        "cannot be read as a SavedModel",
    ),
    "SavedModel with truncated variables": (
        "saved",
        lambda folder: _cut(0.3)(next((folder / "variables").glob("*data*"))),
        ["--trust"],
        "cannot be read as a SavedModel",
    ),
    "SavedModel without variables": (
        "saved",
        lambda folder: shutil.rmtree(folder / "variables"),
        ["--trust"],
        "cannot be read as a SavedModel",
    ),
    "two files in a folder": (
        "folder",
        lambda folder: shutil.copy(folder / "model.keras", folder / "model.h5"),
        [],
        "model.h5 is not an HDF5 file",
    ),
    "PyTorch": ("model.keras", lambda file: None, ["--framework", "jax"], "'jax' is not a framework"),
    "feature": ("model.keras", lambda file: None, ["--feature", "masked-lm"], "has no features"),
    "unknown signature": ("saved", lambda file: None, ["--trust", "--signature", "nope"], "'nope' is not among them"),
    "unknown tag": ("saved", lambda file: None, ["--trust", "--tag", "gpu"], "has no graph of the tag 'gpu'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_error_and_nothing_left(fault: str, cli: Cli, models: Path, tmp_path: Path) -> None:
    name, spoil, arguments, message = FAULTS[fault]
    model, parent = tmp_path / name, tmp_path / "parent"
    parent.mkdir()
    if name == "folder":
        model.mkdir()
        shutil.copy(models / "model.keras", model)
    else:
        (shutil.copytree if (models / name).is_dir() else shutil.copy)(models / name, model)
    spoil(model)
    ran = cli("export", "-m", model, *arguments, parent / "out")
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.errors) == 1, ran.err
    assert message in ran.errors[0], ran.err
    assert len(ran.errors[0]) < 1200
    assert set(ran.err.splitlines()) - set(ran.errors) <= {"inspect", "load"}
    assert "unexpected" not in ran.err
    assert "Traceback" not in ran.err
    assert list(parent.iterdir()) == []


def test_a_refusal_leaves_the_earlier_export(cli: Cli, models: Path, tmp_path: Path) -> None:
    assert cli("export", "-m", models / "model.keras", tmp_path / "out").code == 0
    before = support.snapshot(tmp_path / "out")
    assert cli("export", "-m", models / "saved", tmp_path / "out").code == 2
    assert support.snapshot(tmp_path / "out") == before
    assert support.leftovers(tmp_path / "out") == []
