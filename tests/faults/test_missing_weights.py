"""Weights that the checkpoint lacks are an error that names them, never a silently random head."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

import tfexport
from tests import support
from tests.support import Ran
from tfexport.errors import MismatchedWeightsError, MissingWeightsError

Cli = Callable[..., Ran]
ROUTES = [(form, framework) for form in support.FORMS for framework in ("tf", "pt")]


@pytest.mark.parametrize(("form", "framework"), ROUTES)
def test_a_head_that_is_not_there(form: str, framework: str, bert: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="so they would be random") as caught:
        tfexport.export_checkpoint(bert(form), tmp_path / "out", feature="sequence-classification", framework=framework)
    names = {"tf": ("classifier/bias", "classifier/kernel"), "pt": ("classifier.bias", "classifier.weight")}
    assert caught.value.names == names[framework]
    assert "--allow-missing-weights" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("form", "framework"), [("h5", "tf"), ("tf-safetensors", "tf"), ("pt", "pt"), ("h5", "pt")])
def test_a_head_that_is_not_there_on_the_command_line(
    form: str, framework: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    arguments = ("export", "-m", bert(form), "--framework", framework, "--feature", "sequence-classification")
    ran = cli(*arguments, tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "Traceback" not in ran.err
    assert "lacks 2 weight(s)" in ran.errors[0]
    assert "classifier" in ran.errors[0]
    assert set(ran.err.splitlines()) - set(ran.errors) <= {"inspect", "load", "convert"}
    assert list(tmp_path.iterdir()) == []
    ran = cli(*arguments, "--allow-missing-weights", tmp_path / "out")
    assert ran.code == 0
    assert ran.errors == []
    missing = support.assert_complete(tmp_path / "out")["source"]["missing_weights"]
    assert len(missing) == 2
    assert all("classifier" in name for name in missing)
    initializers = {tensor.name for tensor in onnx.load(tmp_path / "out" / "model.onnx").graph.initializer}
    assert set(missing) <= initializers


@pytest.mark.parametrize(("form", "framework"), ROUTES)
def test_a_pooler_that_the_graph_does_not_read_may_be_missing(
    form: str, framework: str, masked_lm: Callable[[str], Path], tmp_path: Path
) -> None:
    result = tfexport.export_checkpoint(masked_lm(form), tmp_path / "out", framework=framework)
    assert result.valid
    assert result.manifest["source"]["missing_weights"] == []
    names = {tensor.name for tensor in onnx.load(tmp_path / "out" / "model.onnx").graph.initializer}
    assert not [name for name in names if "pooler" in name]


def test_a_pooler_that_the_graph_reads_may_not(masked_lm: Callable[[str], Path], tmp_path: Path) -> None:
    for form in ("h5", "pt"):
        with pytest.raises(MissingWeightsError) as caught:
            tfexport.export_checkpoint(masked_lm(form), tmp_path / "out", feature="sequence-classification")
        assert {"pooler", "classifier"} == {
            part for name in caught.value.names for part in ("pooler", "classifier") if part in name
        }
        assert len(caught.value.names) == 4


def test_weights_that_a_class_makes_when_it_is_first_called_were_never_loaded(tmp_path: Path) -> None:
    """TFIdeficsModel of transformers 4.57.6 builds most layers on its first call; it neither saves nor loads them."""
    support.save_tiny(tmp_path / "idefics", "idefics", "IdeficsModel", "h5")
    with pytest.raises(MissingWeightsError) as caught:
        tfexport.export_checkpoint(tmp_path / "idefics", tmp_path / "out")
    assert any("perceiver_resampler" in name for name in caught.value.names)


@pytest.mark.parametrize(("form", "framework"), ROUTES)
def test_a_complete_checkpoint_lacks_nothing(
    form: str, framework: str, classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    result = tfexport.export_checkpoint(
        classifier(form), tmp_path / "out", feature="sequence-classification", framework=framework
    )
    assert result.valid
    assert result.manifest["source"]["missing_weights"] == []
    assert result.choice.converts_weights == ((form == "pt") != (framework == "pt"))


def _copy_with(checkpoint: Path, folder: Path, **values: Any) -> Path:
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    for name in ("id2label", "label2id", "num_labels"):
        config.pop(name, None)
    (folder / "config.json").write_text(json.dumps({**config, **values}))
    return folder


@pytest.mark.parametrize(("form", "framework"), ROUTES)
def test_another_number_of_labels(
    form: str, framework: str, cli: Cli, classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = _copy_with(classifier(form), tmp_path / "checkpoint", num_labels=7)
    with pytest.raises(MismatchedWeightsError, match="num_labels") as caught:
        tfexport.export_checkpoint(checkpoint, tmp_path / "out", feature="sequence-classification", framework=framework)
    assert isinstance(caught.value, ValueError)
    if (form == "pt") == (framework == "pt"):
        ran = cli(
            "export", "-m", checkpoint, "--framework", framework, "--feature", "sequence-classification",
            "--allow-missing-weights", tmp_path / "out",
        )  # fmt: skip
        assert ran.code == 2
        assert len(ran.errors) == 1
        assert "num_labels" in ran.errors[0]
        assert set(ran.err.splitlines()) - set(ran.errors) <= {"inspect", "load"}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]
