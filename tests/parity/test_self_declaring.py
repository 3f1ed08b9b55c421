"""Parity of models that declare themselves: Keras files in four corners, SavedModels in two. Exports of both are validated."""

from __future__ import annotations

import json
import pickle
import shutil
from copy import deepcopy
from pathlib import Path

import onnx
import pytest

from tests.parity import faults
from tests.signature_models import keras_zoo as zoo
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.errors import ProcessError
from tfexport.parity import parity, validate_export
from tfexport.parity.report import ParityReport
from tfexport.processes.isolation import call_isolated

TRUSTED = SignatureOptions(trust=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plain")
    call_isolated(zoo.save_for_parity, found)
    return found


@pytest.fixture(scope="module")
def report(folder: Path) -> ParityReport:
    """Return the parity of a Keras file, whose exports are kept."""
    return parity(folder / "tagger.keras", keep=folder / "kept")


@pytest.fixture(scope="module")
def of_saved_model(folder: Path) -> ParityReport:
    return parity(folder / "saved_model", options=TRUSTED, keep=folder / "kept-saved-model")


def test_four_corners_of_a_keras_file_agree(report: ParityReport) -> None:
    assert report.agrees, report.problems
    assert [corner.name for corner in report.corners] == ["tf", "pt", "onnx-tf", "onnx-pt"]
    assert all(corner.result is not None for corner in report.corners)
    assert len(report.pairs) == 6
    assert all(pair.agrees for pair in report.pairs)
    assert report.noise is not None
    assert 0 < report.noise < 1e-5
    assert len({case.lengths for case in report.cases["model"]}) > 3


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_a_planted_fault_is_found_in_its_layer(
    report: ParityReport, folder: Path, tmp_path: Path, framework: str
) -> None:
    copy = shutil.copytree(folder / "kept" / f"onnx-{framework}", tmp_path / "copy")
    model = onnx.load(str(copy / "model.onnx"))
    faults.weight("gru/gru_cell/kernel")(model)
    onnx.save(model, str(copy / "model.onnx"))
    found = validate_export(copy)
    assert not found.agrees
    assert found.corners[0].name == framework
    assert found.changes[0].startswith("model.onnx ")
    (located,) = found.located
    assert located.problem is None
    assert set(located.levels.values()) == {False}
    assert located.divergence is not None
    assert located.divergence.first is not None
    # By the name of the layer: the operator has no tensor for its cell's steps.
    assert located.divergence.first.name.startswith("functional/gru"), located.sentence
    assert located.divergence.before is not None
    assert "both" in located.divergence.before.name


def test_a_sound_export_is_valid(report: ParityReport, folder: Path) -> None:
    found = validate_export(folder / "kept" / "onnx-pt")
    assert found.agrees, found.problems
    assert not found.changes
    for each in (report, found):
        assert pickle.loads(pickle.dumps(each)).as_dict() == each.as_dict()
        assert deepcopy(each).as_dict() == each.as_dict()


def test_a_checkpoint_that_was_written_since_is_reported(report: ParityReport, folder: Path, tmp_path: Path) -> None:
    """The manifest names a copy of the checkpoint, which has other weights by now."""
    copy = shutil.copytree(folder / "kept" / "onnx-tf", tmp_path / "copy")
    manifest = json.loads((copy / "tfexport.json").read_text())
    shutil.copy(folder / "other.keras", tmp_path / "tagger.keras")
    manifest["source"]["checkpoint"] = str(tmp_path / "tagger.keras")
    (copy / "tfexport.json").write_text(json.dumps(manifest))
    found = validate_export(copy)
    assert not found.agrees
    (change,) = found.changes
    assert (
        change
        == f"tagger.keras of {tmp_path / 'tagger.keras'} is not the file that was exported: it has been written since"
    )


class TestSavedModel:
    def test_runs_in_one_framework(self, of_saved_model: ParityReport) -> None:
        assert of_saved_model.agrees, of_saved_model.problems
        corners = {corner.name: corner for corner in of_saved_model.corners}
        assert corners["tf"].result is not None
        assert corners["onnx-tf"].result is not None
        for name in ("pt", "onnx-pt"):
            assert corners[name].result is None
            assert not corners[name].expected
        assert "PyTorch cannot load" in str(corners["pt"].absent)
        assert "(a SavedModel folder)" in str(corners["pt"].absent)
        assert [pair.name for pair in of_saved_model.pairs] == ["tf and onnx-tf"]

    def test_is_trusted_only_by_the_user(self, of_saved_model: ParityReport, folder: Path) -> None:
        with pytest.raises(ProcessError, match="--trust"):
            parity(folder / "saved_model")
        directory = folder / "kept-saved-model" / "onnx-tf"
        options = json.loads((directory / "tfexport.json").read_text())["source"]["options"]
        assert options["trust"] is True
        with pytest.raises(ProcessError, match="--trust"):
            validate_export(directory)
        assert validate_export(directory, trust=True).agrees
