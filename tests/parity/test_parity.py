"""``tfexport parity`` and ``tfexport validate``, through their processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.parity import faults
from tests.support import Ran
from tfexport import FeaturesManager, export_checkpoint
from tfexport.parity.repro import DATA_SET

CORNERS = ["tf", "pt", "onnx-tf", "onnx-pt"]


@pytest.fixture(scope="module")
def exported(bert: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("parity") / "bert"
    export_checkpoint(bert("h5"), target)
    return target


def test_four_corners_of_a_checkpoint_agree(
    cli: Callable[..., Ran], bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = cli("parity", bert("h5"), "--output", tmp_path / "r.json", "--html", tmp_path / "r.html")
    assert ran.code == 0, ran.out + ran.err
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["agrees"]
    assert document["problems"] == []
    assert [corner["name"] for corner in document["corners"]] == CORNERS
    assert len(document["pairs"]) == 6
    assert all(pair["agrees"] for pair in document["pairs"])
    assert 0 < document["noise"] < 1e-5
    for name in ("padded right", "padded left", "padded to few", "zeros", "largest", "repeated", "seed 1", "1x62"):
        assert any(name in case for case in document["cases"]["model"]), name
    padding = {corner["name"]: corner["padding"]["model"] for corner in document["corners"]}
    assert all(0 <= error < 1e-4 for outputs in padding.values() for error in outputs.values())
    page = (tmp_path / "r.html").read_text()
    assert "All agree." in page
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    assert ran.out.splitlines()[0].endswith("bert, default: agrees")
    same = "tf, pt, onnx-tf, onnx-pt: two runs return the same values, bit for bit"
    assert same in ran.out
    assert same in page


def test_two_checkpoints_that_are_not_the_same_model(
    cli: Callable[..., Ran], bert: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    model = FeaturesManager.get_model_from_feature("default", str(bert("h5")), "pt")
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[0, 0] += 1.0
    model.save_pretrained(tmp_path / "pt")
    ran = cli("parity", "--model-tf", bert("h5"), "--model-pt", tmp_path / "pt", "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    verdicts = {(pair["first"], pair["second"]): pair["agrees"] for pair in document["pairs"]}
    assert verdicts == {
        ("tf", "pt"): False,
        ("tf", "onnx-tf"): True,
        ("tf", "onnx-pt"): False,
        ("pt", "onnx-tf"): False,
        ("pt", "onnx-pt"): True,
        ("onnx-tf", "onnx-pt"): False,
    }
    (located,) = document["located"]
    assert located["first"].endswith("encoder/layer_._1/output/dense")


def test_an_export_is_valid(cli: Callable[..., Ran], exported: Path) -> None:
    ran = cli("validate", exported, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert json.loads(ran.out)["agrees"]


def test_a_file_without_a_manifest_is_validated_too(
    cli: Callable[..., Ran], exported: Path, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(exported, tmp_path / "bert")
    (copy / "tfexport.json").unlink()
    nameless = cli("validate", copy)
    assert nameless.code == 2
    assert "Name it by --reference" in nameless.err
    assert cli("validate", copy, "--reference", bert("h5"), "--feature", "default").code == 0


def test_a_changed_file_is_found_and_its_case_is_kept(cli: Callable[..., Ran], exported: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(exported, tmp_path / "bert")
    model = onnx.load(str(copy / "model.onnx"))
    faults.weight("layer_._1/intermediate/dense/kernel")(model)
    onnx.save(model, str(copy / "model.onnx"))
    ran = cli("validate", copy, "--repro", tmp_path / "repro", "--json", "--html", tmp_path / "r.html")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert document["problems"][0].startswith("model.onnx ")
    (located,) = document["located"]
    assert "layer_._1/intermediate/dense" in located["first"]
    assert located["levels"] == dict.fromkeys(("disabled", "basic", "extended", "all"), False)
    assert "They disagree." in (tmp_path / "r.html").read_text()
    _fails_as_a_backend_test(tmp_path / "repro")


def _fails_as_a_backend_test(folder: Path) -> None:
    """Assert that the folder has the layout of ONNX's own backend tests, and that the model fails there."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    tensors: dict[str, list[Any]] = {}
    for kind in ("input", "output"):
        files = sorted((folder / DATA_SET).glob(f"{kind}_*.pb"))
        tensors[kind] = [onnx.numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]
    feeds = dict(zip([value.name for value in session.get_inputs()], tensors["input"], strict=True))
    found = session.run(None, feeds)
    assert len(found) == len(tensors["output"])
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(found, tensors["output"], strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name one checkpoint, or two by --model-tf and --model-pt"),
        (("nowhere",), "nowhere"),
        (("--model-tf", "a"), "Name one checkpoint"),
        (("nowhere", "--providers", "cpu,cuda"), "'cuda' was asked for"),
        (("nowhere", "--html", "."), "cannot be written"),
    ],
)
def test_what_cannot_be_compared(cli: Callable[..., Ran], arguments: tuple[str, ...], message: str) -> None:
    ran = cli("parity", *arguments)
    assert ran.code == 2
    (error,) = ran.errors
    assert message in error
