"""Preset folders of KerasHub that were made to do harm: judged like Keras files, before KerasHub reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="the TensorFlow backend's tests need TensorFlow")
pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
if find_spec("keras_hub") is None:
    pytest.skip("KerasHub is not installed", allow_module_level=True)

from tfexport.backends.keras.files import load_preset  # noqa: E402
from tfexport.errors import CheckpointError, CorruptCheckpointError, UntrustedCodeError  # noqa: E402

BACKBONE = {
    "module": "keras_hub.src.models.bert.bert_backbone",
    "class_name": "BertBackbone",
    "registered_name": "keras_hub>BertBackbone",
    "config": {
        "name": "bert",
        "vocabulary_size": 20,
        "num_layers": 1,
        "num_heads": 1,
        "hidden_dim": 4,
        "intermediate_dim": 4,
        "dropout": 0.1,
        "max_sequence_length": 8,
        "num_segments": 2,
    },
}


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    _write(tmp_path / "metadata.json", {"keras_version": "3.15.1"})
    _write(tmp_path / "config.json", BACKBONE)
    with h5py.File(tmp_path / "model.weights.h5", "w") as opened:
        opened["layers/dense/vars/0"] = np.zeros((4, 4), np.float32)
    return tmp_path


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value))


def _code(folder: Path) -> None:
    _write(folder / "config.json", BACKBONE | {"module": "os", "class_name": "system", "registered_name": "Custom>X"})


def _code_in_a_task(folder: Path) -> None:
    _write(
        folder / "task.json",
        {"class_name": "BertTextClassifier", "config": {"activation": {"class_name": "__lambda__"}}},
    )


def _deep(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("[" * 100_000)


def _link(folder: Path) -> None:
    with h5py.File(folder / "model.weights.h5", "r+") as opened:
        opened["layers/more"] = h5py.ExternalLink("/etc/secret.h5", "secret")


def _shard(folder: Path) -> None:
    _write(folder / "model.weights.json", {"weight_map": {"/layers": ["../../secret.weights.h5"]}})


def _layers(folder: Path) -> None:
    _write(folder / "config.json", BACKBONE | {"config": {**BACKBONE["config"], "num_layers": 10**6}})  # type: ignore[dict-item]


def _rows(folder: Path) -> None:
    _write(folder / "config.json", BACKBONE | {"config": {**BACKBONE["config"], "vocabulary_size": 10**12}})  # type: ignore[dict-item]


def _class(folder: Path) -> None:
    _write(folder / "task.json", {"class_name": "sys"})


HOSTILE: dict[str, tuple[Callable[[Path], None], type[CheckpointError], str]] = {
    "code": (_code, UntrustedCodeError, "(os.system"),
    "code in a task": (_code_in_a_task, UntrustedCodeError, "(__lambda__)"),
    "deep": (_deep, CorruptCheckpointError, "nested deeper"),
    "link": (_link, CorruptCheckpointError, "ExternalLink"),
    "shard": (_shard, CorruptCheckpointError, "names weights outside its folder"),
    "layers": (_layers, CorruptCheckpointError, "layers, and its file holds 1 weights"),
    "rows": (_rows, CorruptCheckpointError, "and its file holds 16 in 1"),
    "class": (_class, UntrustedCodeError, "(sys)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused(name: str, preset: Path) -> None:
    spoil, kind, message = HOSTILE[name]
    spoil(preset)
    with pytest.raises(kind) as caught:
        load_preset(preset, "tf", trust=False, source="preset")
    assert message in str(caught.value)
