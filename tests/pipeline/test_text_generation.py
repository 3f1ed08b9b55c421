"""Exports that write text: their files, their manifest, and what is said of those without a cache."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests import support
from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.declarations.features import model_class
from tfexport.errors import ValidationError
from tfexport.graph import writing

FILES = ["decoder_model.onnx", "decoder_model_merged.onnx", "decoder_with_past_model.onnx", "encoder_model.onnx"]


def _checkpoint(folder: Path, model_type: str, task: str, framework: Framework) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the frameworks say while they make a model is not ours
        model = tiny_model(framework, model_class(model_type, task, framework), tiny_config(model_type, task))
    model.save_pretrained(folder, **({"safe_serialization": False} if framework == "tf" else {}))
    return folder


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TensorFlow GPT-2 with a language head."""
    return support.set_special_tokens(
        _checkpoint(tmp_path_factory.mktemp("gpt2") / "gpt2", "gpt2", "causal-lm", "tf"), 97
    )


def test_auto_is_with_a_cache(gpt2: Path, tmp_path: Path) -> None:
    result = tfexport.export_checkpoint(gpt2, tmp_path / "out", feature="auto")
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid
    assert manifest["feature"] == "causal-lm-with-past"
    assert manifest["caveats"] == []
    assert manifest["values_override"] == {"use_cache": True}
    (told,) = manifest["validation"]["generation"]
    assert (told["files"], told["steps"], told["batch"], told["problem"]) == (["model.onnx"], 32, 3, None)
    assert 0 < told["max_abs_error"] <= told["allowed"]
    assert result.report.generation[0].max_abs_error == told["max_abs_error"]
    shapes = {port["name"]: port["shape"] for port in manifest["graphs"]["model.onnx"]["inputs"]}
    assert shapes["past_key_values.1.value"] == ["batch", 4, "past_sequence", 8]
    assert shapes["attention_mask"] == ["batch", "past_sequence + sequence"]
    assert (tmp_path / "out" / "generation_config.json").is_file()


def test_without_a_cache_the_manifest_says_so(gpt2: Path, tmp_path: Path, cli: Any) -> None:
    ran = cli("export", "-m", gpt2, "--feature", "causal-lm", tmp_path / "out")
    assert ran.code == 0
    manifest = support.assert_complete(tmp_path / "out")
    (caveat,) = manifest["caveats"]
    assert "no key-value cache" in caveat
    assert "--feature causal-lm-with-past" in caveat
    assert "no key-value cache" in ran.out
    assert manifest["validation"]["generation"] == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_encoder_decoder_is_what_clients_load(framework: Framework, tmp_path: Path) -> None:
    source = _checkpoint(tmp_path / "t5", "t5", "seq2seq-lm", framework)
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="text2text-generation-with-past")
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid
    assert manifest["feature"] == "seq2seq-lm-with-past"
    assert sorted(manifest["graphs"]) == FILES == sorted(file.name for file in (tmp_path / "out").glob("*.onnx"))
    assert {case["file"] for case in manifest["validation"]["cases"]} == set(FILES)
    assert [told["files"] for told in manifest["validation"]["generation"]] == [
        ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"],
        ["encoder_model.onnx", "decoder_model_merged.onnx"],
    ]
    merged = onnx.load(tmp_path / "out" / "decoder_model_merged.onnx").graph
    branches = [attribute.g for attribute in merged.node[0].attribute]
    assert [node.op_type for node in merged.node] == ["If"]
    assert len(branches) == 2
    large = {tensor.name for tensor in merged.initializer if np.prod(tensor.dims) >= 100}
    assert len(large) > 20
    assert not [t.name for branch in branches for t in branch.initializer if np.prod(t.dims) >= 100]


def test_large_weights_of_the_decoders_lie_on_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 200_000)
    source = _checkpoint(tmp_path / "bart", "bart", "seq2seq-lm", "tf")
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="seq2seq-lm-with-past")
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid
    data = {name: graph["data"] for name, graph in manifest["graphs"].items()}
    decoders = {name: file for name, file in data.items() if name.startswith("decoder")}
    assert set(decoders.values()) == {"decoder_model_merged.onnx_data"}
    assert data["encoder_model.onnx"] is None  # small, and the decoders' are large together alone
    assert [file.name for file in (tmp_path / "out").glob("*_data")] == ["decoder_model_merged.onnx_data"]
    assert manifest["graphs"]["decoder_model_merged.onnx"]["weight_bytes"] < 200_000
    weights = manifest["graphs"]["decoder_model_merged.onnx"]["weight_bytes"]
    assert manifest["files"]["decoder_model_merged.onnx_data"]["bytes"] <= weights * 1.01
    for name in decoders:
        onnxruntime.InferenceSession(str(tmp_path / "out" / name), providers=["CPUExecutionProvider"])
        inline = onnx.load(tmp_path / "out" / name, load_external_data=False).graph.initializer
        assert all(tensor.external_data or np.prod(tensor.dims) < 64 for tensor in inline)


def test_a_monolith_is_the_seeds_one_file(tmp_path: Path, cli: Any) -> None:
    source = _checkpoint(tmp_path / "t5", "t5", "seq2seq-lm", "pt")
    ran = cli("export", "-m", source, "--feature", "seq2seq-lm-with-past", "--monolith", "--json", tmp_path / "out")
    assert ran.code == 0
    assert list(json.loads(ran.out)["graphs"]) == ["model.onnx"]


def test_a_cache_that_is_wrong_is_not_published(gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second layer's key and value change places on their way out: the same shapes, and right logits at first."""
    from tfexport.pipeline import conversion

    convert = conversion.convert

    def swapped(*arguments: Any) -> Any:
        graphs = convert(*arguments)
        outputs = {str(value.name): value for value in graphs["model"].model.graph.outputs}
        key, value = outputs["present.1.key"], outputs["present.1.value"]
        key.name, value.name = "present.1.value", "present.1.key"
        order = graphs["model"].model.graph.outputs
        one, other = order.index(key), order.index(value)
        order[one], order[other] = value, key
        return graphs

    monkeypatch.setattr("tfexport.pipeline.export.convert", swapped)
    with pytest.raises(ValidationError, match=r"present\.1\.key: differs"):
        tfexport.export_checkpoint(gpt2, tmp_path / "out", feature="causal-lm-with-past")
    assert not (tmp_path / "out").exists()
