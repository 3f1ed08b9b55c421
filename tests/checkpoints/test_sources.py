"""The kinds of sources: which is recognised where, and that a new one is one file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests import support
from tfexport import export_model
from tfexport.checkpoints import sources
from tfexport.checkpoints.checkpoint import Checkpoint, open_checkpoint
from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import WeightFiles
from tfexport.errors import CheckpointNotFoundError
from tfexport.pipeline.publishing import read_manifest


def _preset(folder: Path) -> Path:
    (folder / "metadata.json").write_text(json.dumps({"keras_version": "3.15.1"}))
    (folder / "config.json").write_text(json.dumps({"class_name": "BertBackbone"}))
    support.write_hdf5(folder / "model.weights.h5")
    return folder


def _keras_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    return folder / "net.keras"


def _saved_model(folder: Path) -> Path:
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"x")
    return folder


def _hugging_face(folder: Path) -> Path:
    support.write_hdf5(support.write_config(folder) / "tf_model.h5")
    return folder


SAMPLES: dict[str, tuple[Callable[[Path], Path], list[str], set[str]]] = {
    # A writer, the kinds that recognise what it writes, in their order, and the files that identify it.
    "preset": (_preset, ["keras-hub", "huggingface", "keras"], {"config.json", "model.weights.h5"}),
    "transformers": (_hugging_face, ["huggingface"], {"config.json", "tf_model.h5"}),
    "saved model": (_saved_model, ["saved-model"], {"saved_model.pb", "variables/variables.index"}),
    "archive": (_keras_archive, ["keras"], {"net.keras"}),
    "folder of an archive": (lambda folder: _keras_archive(folder).parent, ["keras"], {"net.keras"}),
    "HDF5": (lambda folder: support.write_hdf5(folder / "net.h5"), ["keras"], {"net.h5"}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_of_one_kind(name: str, tmp_path: Path) -> None:
    write, claims, identified_by = SAMPLES[name]
    path = write(tmp_path)
    checkpoint = open_checkpoint(path)
    found = [kind.name for kind in sources.KINDS if kind.is_on_disk and kind.recognises(path, checkpoint.weights or ())]
    assert found == claims
    assert checkpoint.kind.name == claims[0]
    assert set(checkpoint.sha256("tf")) == identified_by


def test_every_kind_on_disk_has_a_sample() -> None:
    assert {kind.name for kind in sources.KINDS if kind.is_on_disk} == {claims[0] for _, claims, _ in SAMPLES.values()}


def test_a_live_object_has_a_kind() -> None:
    checkpoint = open_checkpoint(object())
    assert checkpoint.kind.name == "python"
    assert checkpoint.source == "object in Python"
    assert checkpoint.sha256("tf") == {}


@pytest.mark.parametrize("kind", sources.KINDS, ids=lambda kind: str(kind.name))
def test_every_loader_exists(kind: SourceKind) -> None:
    assert kind.loaders
    for entry_point in kind.loaders.values():
        module, _, function = entry_point.partition(":")
        assert callable(getattr(import_module(module), function))


def test_the_kinds_are_listed_where_nothing_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointNotFoundError) as caught:
        open_checkpoint(tmp_path / "notes.txt")
    for kind in sources.KINDS:
        assert (kind.description in str(caught.value)) == kind.is_on_disk


class Affine(SourceKind):
    """A kind that is planted: ``y = a * x + b``, with both numbers in a file."""

    name = "affine"
    description = "an .affine file"
    priority = 45
    suffixes = (".affine",)
    loaders = {"tf": f"{__name__}:load_affine"}

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        return bool(source.suffix == ".affine")

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        if source.suffix == ".affine":
            yield WeightFiles("tf", source.name, (source,))


def load_affine(checkpoint: Checkpoint) -> Any:
    """Its loader: a model that declares itself."""
    import tensorflow as tf

    from tfexport.backends.tensorflow.signature_models.functions import model_of_function

    numbers = json.loads(Path(str(checkpoint.path)).read_text())
    signature = [tf.TensorSpec([None, 2], tf.float32, name="x")]
    function = tf.function(lambda x: numbers["a"] * x + numbers["b"], input_signature=signature)
    return model_of_function(function, checkpoint.source)


def test_a_new_kind_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "KINDS", sources.in_order([*sources.KINDS, Affine()]))
    (tmp_path / "line.affine").write_text('{"a": 2.0, "b": -1.0}')
    report = export_model(tmp_path / "line.affine", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest["source"]["kind"] == "affine"
    assert set(manifest["source"]["sha256"]) == {"line.affine"}
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    x = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, 2 * x - 1)
    assert report is not None
    with pytest.raises(CheckpointNotFoundError, match="does not exist"):
        open_checkpoint("elsewhere.affine")


class _Clash(Affine):
    name = "clash"


class _Namesake(Affine):
    priority = 46


@pytest.mark.parametrize(("other", "message"), [(_Clash(), "same priority"), (_Namesake(), "one name")])
def test_kinds_without_an_order_are_refused(other: SourceKind, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sources.in_order([Affine(), other])
