"""What lies on disk: every kind of evidence, and every way in which it can be broken. No framework is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.weight_files import sha256_of
from tfexport.errors import CheckpointError, CheckpointNotFoundError, CorruptCheckpointError, UnsupportedModelTypeError
from tfexport.onnx.features import FeaturesManager

TF_NAMES = ("bert/embeddings/weight:0",)


def _sharded(folder: Path, form: str | None, names: tuple[str, ...] = ("w",)) -> None:
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for shard in shards:
        support.write_safetensors(folder / shard, form, names)
    support.write_index(folder / "model.safetensors.index.json", shards)


def _torch_shards(folder: Path) -> None:
    (folder / "pytorch_model-00001-of-00001.bin").write_bytes(b"x")
    support.write_index(folder / "pytorch_model.bin.index.json", ["pytorch_model-00001-of-00001.bin"])


def _tf_shards(folder: Path) -> None:
    support.write_hdf5(folder / "tf_model-00001-of-00001.h5")
    support.write_index(folder / "tf_model.h5.index.json", ["tf_model-00001-of-00001.h5"])


def _keras_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")


EVIDENCE: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "torch pickle": (lambda f: (f / "pytorch_model.bin").write_bytes(b"x"), [("pt", "pytorch_model.bin")]),
    "torch shards": (_torch_shards, [("pt", "pytorch_model.bin.index.json (1 shards)")]),
    "tf h5": (lambda f: support.write_hdf5(f / "tf_model.h5"), [("tf", "tf_model.h5")]),
    "tf h5 shards": (_tf_shards, [("tf", "tf_model.h5.index.json (1 shards)")]),
    "safetensors pt": (
        lambda f: support.write_safetensors(f / "model.safetensors", "pt"),
        [("pt", "model.safetensors (format pt)")],
    ),
    "safetensors tf": (
        lambda f: support.write_safetensors(f / "model.safetensors", "tf", TF_NAMES),
        [("tf", "model.safetensors (format tf)")],
    ),
    "safetensors without format, torch names": (
        lambda f: support.write_safetensors(f / "model.safetensors", None),
        [("pt", "model.safetensors (no format, PyTorch names)")],
    ),
    "safetensors without format, tf names": (
        lambda f: support.write_safetensors(f / "model.safetensors", None, TF_NAMES),
        [("tf", "model.safetensors (no format, TensorFlow names)")],
    ),
    "safetensors shards pt": (
        lambda f: _sharded(f, "pt"),
        [("pt", "model.safetensors.index.json (2 shards, format pt)")],
    ),
    "safetensors shards tf": (
        lambda f: _sharded(f, "tf", TF_NAMES),
        [("tf", "model.safetensors.index.json (2 shards, format tf)")],
    ),
    "both": (
        lambda f: ((f / "pytorch_model.bin").write_bytes(b"x"), support.write_hdf5(f / "tf_model.h5")),
        [("pt", "pytorch_model.bin"), ("tf", "tf_model.h5")],
    ),
    "safetensors tf beside a torch pickle": (
        lambda f: (
            support.write_safetensors(f / "model.safetensors", "tf", TF_NAMES),
            (f / "pytorch_model.bin").write_bytes(b"x"),
        ),
        [("tf", "model.safetensors (format tf)"), ("pt", "pytorch_model.bin")],
    ),
    "keras archive": (_keras_archive, [("tf", "net.keras (Keras)")]),
    "keras h5": (lambda f: support.write_hdf5(f / "net.h5"), [("tf", "net.h5 (Keras HDF5)")]),
    "saved model": (
        lambda f: (f / "saved_model.pb").write_bytes(b"\x08\x01"),
        [("tf", "saved_model.pb (SavedModel)")],
    ),
    "nothing": (lambda f: None, []),
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence(name: str, tmp_path: Path) -> None:
    write, expected = EVIDENCE[name]
    write(support.write_config(tmp_path))
    checkpoint = open_checkpoint(tmp_path)
    assert [(found.framework, found.why) for found in checkpoint.weights or ()] == expected
    assert checkpoint.kind.name == "huggingface"
    assert checkpoint.path == tmp_path
    for found in checkpoint.weights or ():
        assert found.files
        assert all(file.is_file() for file in found.files)


@pytest.mark.parametrize("name", [name for name, (_, found) in EVIDENCE.items() if found])
def test_features_manager_determines_by_the_same_evidence(name: str, tmp_path: Path) -> None:
    write, expected = EVIDENCE[name]
    write(support.write_config(tmp_path))
    frameworks = {framework for framework, _ in expected}
    assert FeaturesManager.determine_framework(tmp_path) == ("pt" if "pt" in frameworks else "tf")
    assert FeaturesManager.determine_framework(tmp_path, "tf") == "tf"


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda f: support.write_hdf5(f / "net.h5"), "keras"),
        (_keras_archive, "keras"),
        (lambda f: (f / "saved_model.pb").write_bytes(b"\x08\x01"), "saved-model"),
    ],
)
def test_folders_that_are_not_hugging_face(write: Callable[[Path], object], kind: str, tmp_path: Path) -> None:
    write(tmp_path)
    assert open_checkpoint(tmp_path).kind.name == kind


def test_files_that_are_checkpoints(tmp_path: Path) -> None:
    for name in ("a.h5", "b.hdf5"):
        checkpoint = open_checkpoint(support.write_hdf5(tmp_path / name))
        assert checkpoint.kind.name == "keras"
        assert [found.framework for found in checkpoint.weights or ()] == ["tf"]
    _keras_archive(tmp_path)
    assert open_checkpoint(tmp_path / "net.keras").kind.name == "keras"
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointNotFoundError, match="not a checkpoint"):
        open_checkpoint(tmp_path / "notes.txt")


def test_checksums_are_those_of_the_weights_that_are_read(tmp_path: Path) -> None:
    support.write_config(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    support.write_hdf5(tmp_path / "tf_model.h5")
    checkpoint = open_checkpoint(tmp_path)
    whole = support.snapshot(tmp_path)
    assert checkpoint.sha256("tf") == {name: whole[name] for name in ("config.json", "tf_model.h5")}
    assert checkpoint.sha256("pt") == {name: whole[name] for name in ("config.json", "pytorch_model.bin")}
    assert checkpoint.sha256(None) == {}
    assert sha256_of(tmp_path / "tf_model.h5") == whole["tf_model.h5"]


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 40, -1, -12, -24])
def test_truncated_safetensors(kept: int, tmp_path: Path) -> None:
    file = support.write_safetensors(support.write_config(tmp_path) / "model.safetensors", "tf")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CorruptCheckpointError, match=r"model\.safetensors cannot be read .* truncated"):
        open_checkpoint(tmp_path)


def test_a_safetensors_header_that_lies_about_its_length(tmp_path: Path) -> None:
    file = support.write_safetensors(support.write_config(tmp_path) / "model.safetensors", "tf")
    file.write_bytes((2**62).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(CorruptCheckpointError):
        open_checkpoint(tmp_path)


def test_truncated_shard(tmp_path: Path) -> None:
    _sharded(support.write_config(tmp_path), "tf")
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(CorruptCheckpointError, match="model-00002-of-00002"):
        open_checkpoint(tmp_path)


def test_safetensors_of_another_library(tmp_path: Path) -> None:
    support.write_safetensors(support.write_config(tmp_path) / "model.safetensors", "mlx")
    with pytest.raises(CheckpointError, match="format 'mlx'"):
        open_checkpoint(tmp_path)


def test_shards_of_both_frameworks(tmp_path: Path) -> None:
    _sharded(support.write_config(tmp_path), "tf")
    support.write_safetensors(tmp_path / "model-00001-of-00002.safetensors", "pt")
    with pytest.raises(CorruptCheckpointError, match="both frameworks"):
        open_checkpoint(tmp_path)


def test_missing_shard(tmp_path: Path) -> None:
    _sharded(support.write_config(tmp_path), "tf")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointNotFoundError, match="model-00002-of-00002"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("index", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ""])
def test_a_shard_outside_the_folder_is_refused(index: str, shard: str, tmp_path: Path) -> None:
    support.write_safetensors(tmp_path / "outside.safetensors", "tf")
    folder = support.write_config(tmp_path / "checkpoint")
    support.write_index(folder / index, [shard])
    with pytest.raises(CheckpointError, match="shard"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"w": 3}}', "null", "\x00"],
)
@pytest.mark.parametrize(
    "index", ["model.safetensors.index.json", "pytorch_model.bin.index.json", "tf_model.h5.index.json"]
)
def test_an_index_that_is_no_index(index: str, text: str, tmp_path: Path) -> None:
    (support.write_config(tmp_path) / index).write_text(text)
    with pytest.raises(CorruptCheckpointError, match="shard index"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["tf_model.h5", "net.h5", "net.keras"])
@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_file_that_is_not_what_its_name_says(name: str, content: bytes, tmp_path: Path) -> None:
    (support.write_config(tmp_path) / name).write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match=name):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "name", ["safetensors tf", "safetensors shards pt", "torch pickle", "tf h5", "tf h5 shards", "nothing"]
)
def test_a_folder_without_configuration(name: str, tmp_path: Path) -> None:
    EVIDENCE[name][0](tmp_path)
    with pytest.raises(CheckpointNotFoundError, match=r"no config\.json"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00\x01", '"bert"'])
def test_a_configuration_that_is_not_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(
        CorruptCheckpointError, match=r"config\.json is not JSON|does not hold a JSON object|is not a text"
    ):
        _ = open_checkpoint(tmp_path).config


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": ["bert"]},
        {"model_type": "bert", "num_labels": "many"},
        {"model_type": "bert", "id2label": ["a", "b"]},
        {"model_type": "bert", "torch_dtype": "float33"},
        {"model_type": "gpt_neo", "attention_types": 3},
    ],
)
def test_a_configuration_that_its_class_refuses(values: dict[str, object], tmp_path: Path) -> None:
    support.write_config(tmp_path, values)
    with pytest.raises(CorruptCheckpointError, match=r"config\.json"):
        _ = open_checkpoint(tmp_path).config


def test_a_configuration_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptCheckpointError):
        _ = open_checkpoint(tmp_path).config


@pytest.mark.parametrize("folder", ["my-bert-model", "gpt2", "checkpoint"])
def test_the_folder_name_does_not_decide_the_model_type(folder: str, tmp_path: Path) -> None:
    support.write_config(tmp_path / folder, {"hidden_size": 32})
    with pytest.raises(CorruptCheckpointError, match="does not name a model_type.*--model-type"):
        _ = open_checkpoint(tmp_path / folder).config
    assert open_checkpoint(tmp_path / folder, model_type="albert").config.model_type == "albert"


def test_a_model_type_of_the_users_does_not_hide_a_broken_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(
        CorruptCheckpointError, match=r"config\.json is not JSON|does not hold a JSON object|is not a text"
    ):
        _ = open_checkpoint(tmp_path, model_type="bert").config


def test_an_unknown_model_type(tmp_path: Path) -> None:
    support.write_config(tmp_path, {"model_type": "transformer-xxl"})
    with pytest.raises(UnsupportedModelTypeError, match="transformer-xxl"):
        _ = open_checkpoint(tmp_path).config


def test_the_configuration_is_read(tmp_path: Path) -> None:
    support.write_config(tmp_path, {"model_type": "bert", "hidden_size": 48})
    config = open_checkpoint(tmp_path).config
    assert (config.model_type, config.hidden_size) == ("bert", 48)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "nowhere.h5", "nowhere.keras"])
def test_a_path_that_does_not_exist(name: str) -> None:
    with pytest.raises(CheckpointNotFoundError, match="does not exist"):
        open_checkpoint(name)


def test_a_hub_id_that_is_not_cached(tmp_path: Path) -> None:
    checkpoint = open_checkpoint("tfexport-tests/nowhere", cache_dir=tmp_path)
    assert checkpoint.weights is None
    assert checkpoint.path is None
    assert checkpoint.sha256("tf") == {}
    with pytest.raises(CheckpointNotFoundError, match="neither a local folder nor a model that the hub returns"):
        _ = checkpoint.config


@pytest.mark.parametrize("name", ["org/na me", "org/name--x", ".-org", "a" * 120])
def test_a_name_that_is_no_hub_id(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError):
        open_checkpoint(name, cache_dir=tmp_path)


def test_a_hub_id_in_the_cache_is_a_local_checkpoint(tmp_path: Path) -> None:
    """The layout of huggingface_hub's cache: refs/main names the snapshot's folder."""
    model = tmp_path / "models--tfexport-tests--tiny"
    snapshot = support.write_config(model / "snapshots" / "abc", {"model_type": "bert", "hidden_size": 48})
    support.write_hdf5(snapshot / "tf_model.h5")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    checkpoint = open_checkpoint("tfexport-tests/tiny", cache_dir=tmp_path)
    assert [found.framework for found in checkpoint.weights or ()] == ["tf"]
    assert checkpoint.config.hidden_size == 48
    assert json.loads((snapshot / "config.json").read_text())["model_type"] == "bert"
