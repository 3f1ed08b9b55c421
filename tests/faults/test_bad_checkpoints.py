"""Broken checkpoints and wrong requests, through the command line: one clear error, the target untouched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tests.support import Ran

Cli = Callable[..., Ran]


def _copy(checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    return folder


def _edit_config(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.update(values)
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def _truncate(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])


FAULTS: dict[str, tuple[str, Callable[[Path], object], list[str], str]] = {
    "truncated safetensors of TensorFlow": (
        "tf-safetensors",
        lambda f: _truncate(f / "model.safetensors", 0.7),
        [],
        "model.safetensors cannot be read",
    ),
    "truncated safetensors of PyTorch": (
        "pt",
        lambda f: _truncate(f / "model.safetensors", 0.7),
        [],
        "model.safetensors cannot be read",
    ),
    "safetensors cut in its header": (
        "pt",
        lambda f: _truncate(f / "model.safetensors", 0.001),
        [],
        "model.safetensors cannot be read",
    ),
    "truncated h5": ("h5", lambda f: _truncate(f / "tf_model.h5", 0.5), [], "is not a readable HDF5 file"),
    "h5 that is a pointer": (
        "h5",
        lambda f: (f / "tf_model.h5").write_text("version https://git-lfs.github.com/spec/v1"),
        [],
        "tf_model.h5 is not an HDF5 file",
    ),
    "missing config": ("h5", lambda f: (f / "config.json").unlink(), [], "config.json"),
    "config cut short": ("h5", lambda f: _truncate(f / "config.json", 0.5), [], "is not JSON"),
    "config without a model type": ("h5", lambda f: _edit_config(f, model_type=None), [], "does not name a model_type"),
    "model type that transformers lacks": (
        "h5",
        lambda f: _edit_config(f, model_type="transformer-xxl"),
        [],
        "'transformer-xxl', which transformers does not know",
    ),
    "model type without a declaration": (
        "h5",
        lambda f: _edit_config(f, model_type="fnet"),
        [],
        "the model type 'fnet'",
    ),
    "no weights": ("h5", lambda f: (f / "tf_model.h5").unlink(), [], "does not hold weights"),
    "unknown feature": ("h5", lambda f: None, ["--feature", "poetry"], "'poetry' is not a feature"),
    "feature of other types": (
        "h5",
        lambda f: None,
        ["--feature", "seq2seq-lm"],
        "bert does not support the feature 'seq2seq-lm'",
    ),
    "hidden size that is not the weights'": (
        "h5",
        lambda f: _edit_config(f, intermediate_size=41),
        [],
        "do not fit TFBertModel",
    ),
    "torch pickle that is none": (
        "pt",
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin").write_bytes(b"garbage"),
        [],
        "could not be loaded as BertModel",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_error_and_the_target_untouched(
    fault: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    form, spoil, arguments, message = FAULTS[fault]
    checkpoint = _copy(bert(form), tmp_path / "checkpoint")
    target = tmp_path / "out"
    assert cli("export", "-m", checkpoint, target).code == 0
    before = support.snapshot(target)
    spoil(checkpoint)
    ran = cli("export", "-m", checkpoint, *arguments, target)
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.errors) == 1
    assert message in ran.errors[0]
    assert set(ran.err.splitlines()) - set(ran.errors) <= {"inspect", "load"}
    assert "unexpected" not in ran.err
    assert "Traceback" not in ran.err
    assert support.snapshot(target) == before
    assert support.leftovers(target) == []


@pytest.mark.parametrize("name", ["checkpoint", "gpt2"])
def test_a_model_type_given_by_the_user(name: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    checkpoint = _copy(bert("h5"), tmp_path / name)
    _edit_config(checkpoint, model_type=None)
    ran = cli("export", "-m", checkpoint, "--model-type", "bert", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert support.assert_complete(tmp_path / "out")["source"]["model_type"] == "bert"


@pytest.mark.parametrize("name", ["./nowhere", "tfexport-tests/nowhere", "no such thing"])
def test_a_checkpoint_that_is_not_there(name: str, cli: Cli, tmp_path: Path) -> None:
    ran = cli("export", "-m", name, "--cache-dir", tmp_path / "cache", tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert name in ran.errors[0]
    assert "unexpected" not in ran.err
    assert not (tmp_path / "out").exists()


def test_a_target_that_holds_files_of_the_users(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    ran = cli("export", "-m", bert("h5"), tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "thesis.tex" in ran.errors[0]
    assert ran.err.splitlines() == ["inspect", *ran.errors]  # before anything is loaded
    assert support.snapshot(tmp_path / "out").keys() == {"thesis.tex"}


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_a_feature_that_the_framework_has_no_class_for(
    framework: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = _copy(bert("h5"), tmp_path / "checkpoint")
    _edit_config(checkpoint, model_type="bloom", architectures=["BloomModel"], n_layer=2, n_head=4)
    ran = cli("export", "-m", checkpoint, "--framework", framework, tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "Traceback" not in ran.err
    if framework == "tf":
        assert "TensorFlow has no class for 'default' of bloom" in ran.errors[0]
        assert "PyTorch has one: pass --framework pt" in ran.errors[0]
    assert not (tmp_path / "out").exists()
