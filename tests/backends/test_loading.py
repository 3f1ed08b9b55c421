"""Real checkpoints in every form are loaded, and it is the weights that the reason names which are read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import transformers

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests import support

IDS = np.array([[5, 17, 42, 9, 3]])
FEEDS = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}


def _save_sharded(folder: Path, framework: str, safe: bool) -> np.ndarray:
    """A checkpoint in shards, and what its model gives for `FEEDS`."""
    model = tiny_model(framework, {"tf": "TFBertModel", "pt": "BertModel"}[framework], tiny_config("bert"))
    model.save_pretrained(folder, max_shard_size="30KB", safe_serialization=safe)
    return _run_source(model, framework)


def _run_source(model: Any, framework: str) -> np.ndarray:
    if framework == "tf":
        return np.asarray(model({name: value.astype(np.int32) for name, value in FEEDS.items()})[0])
    import torch

    with torch.no_grad():
        return np.asarray(model(**{name: torch.from_numpy(value) for name, value in FEEDS.items()})[0])


def _run_export(folder: Path) -> np.ndarray:
    (output,) = onnxruntime.InferenceSession(str(folder / "model.onnx")).run(None, FEEDS)
    return np.asarray(output)


@pytest.mark.parametrize("exporter", ["tf", "pt"])
@pytest.mark.parametrize(
    ("framework", "safe", "index"),
    [
        ("tf", False, "tf_model.h5.index.json"),
        ("tf", True, "model.safetensors.index.json"),
        ("pt", True, "model.safetensors.index.json"),
        ("pt", False, "pytorch_model.bin.index.json"),
    ],
)
def test_shards(framework: str, safe: bool, index: str, exporter: str, tmp_path: Path) -> None:
    expected = _save_sharded(tmp_path / "checkpoint", framework, safe)
    shards = set(json.loads((tmp_path / "checkpoint" / index).read_text())["weight_map"].values())
    assert len(shards) > 2
    result = tfexport.export_checkpoint(tmp_path / "checkpoint", tmp_path / "out", framework=exporter)
    assert result.valid
    assert (result.choice.framework, result.choice.weights) == (exporter, framework)
    assert set(result.manifest["source"]["sha256"]) == {"config.json", index, *shards}
    np.testing.assert_allclose(_run_export(tmp_path / "out"), expected, atol=2e-5)


# One folder with two sets of weights: which file holds those of the first model, which those of the second.
PAIRS = {
    "pickle and h5": (("pt", "pytorch_model.bin"), ("tf", "tf_model.h5")),
    "safetensors and h5": (("pt", "model.safetensors"), ("tf", "tf_model.h5")),
    "pickle and safetensors of TensorFlow": (("pt", "pytorch_model.bin"), ("tf", "model.safetensors")),
}


@pytest.mark.parametrize("asked", [None, "pt", "tf"])
@pytest.mark.parametrize("pair", PAIRS)
def test_the_weights_that_the_reason_names_are_read(pair: str, asked: str | None, tmp_path: Path) -> None:
    checkpoint, expected = tmp_path / "checkpoint", {}
    for seed, (framework, file) in enumerate(PAIRS[pair]):
        class_name = {"tf": "TFBertModel", "pt": "BertModel"}[framework]
        model = tiny_model(framework, class_name, tiny_config("bert"), seed=seed)
        model.save_pretrained(tmp_path / framework, safe_serialization=file == "model.safetensors")
        checkpoint.mkdir(exist_ok=True)
        for name in ("config.json", file):
            shutil.copyfile(tmp_path / framework / name, checkpoint / name)
        expected[framework] = _run_source(model, framework)
    assert np.abs(expected["pt"] - expected["tf"]).max() > 0.1
    result = tfexport.export_checkpoint(checkpoint, tmp_path / "out", framework=asked)
    chosen = asked or "pt"
    file = dict(PAIRS[pair])[chosen]
    assert result.valid
    assert not result.choice.converts_weights
    assert set(result.manifest["source"]["sha256"]) == {"config.json", file}
    if asked is None:
        assert "TensorFlow weights are there too" in result.choice.reason
    np.testing.assert_allclose(_run_export(tmp_path / "out"), expected[chosen], atol=2e-5)


@pytest.mark.parametrize("exporter", ["tf", "pt"])
@pytest.mark.parametrize("form", support.FORMS)
def test_the_file_gives_what_the_framework_that_made_the_weights_gives(
    form: str, exporter: str, classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    """Converted on load or not: against the source model, loaded by transformers itself in its own framework."""
    result = tfexport.export_checkpoint(
        classifier(form), tmp_path / "out", feature="sequence-classification", framework=exporter
    )
    prefix = "" if form == "pt" else "TF"
    source = getattr(transformers, f"{prefix}BertForSequenceClassification").from_pretrained(str(classifier(form)))
    assert result.valid
    expected = _run_source(source, "pt" if form == "pt" else "tf")
    np.testing.assert_allclose(_run_export(tmp_path / "out"), expected, atol=2e-5)
