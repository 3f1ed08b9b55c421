"""The whole line, called from Python: its result, its manifest, its companions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from transformers import AutoConfig, AutoTokenizer

import tfexport
from tests import support
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.preprocessor import load_preprocessor
from tfexport.errors import InputsError, UnsupportedFeatureError, ValidationError
from tfexport.graph import writing
from tfexport.pipeline.manifest import contracts_of, installed_versions
from tfexport.runtime.sessions import open_session
from tfexport.validation.structure import broken_contract

STAGES = ["inspect", "load", "convert", "write", "validate", "publish"]


@pytest.fixture(scope="module")
def checkpoint(classifier: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TensorFlow classifier with a tokenizer, and files that clients want and files that nobody wants."""
    folder = tmp_path_factory.mktemp("companions") / "checkpoint"
    shutil.copytree(classifier("h5"), folder)
    support.small_tokenizer(folder)
    (folder / "generation_config.json").write_text("{}")
    (folder / "modules.json").write_text("[]")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 32}')
    (folder / "training_args.bin").write_bytes(b"x")
    (folder / "README.md").write_text("x")
    return folder


@pytest.fixture(scope="module")
def result(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tfexport.ExportResult:
    """Its export."""
    return tfexport.export_checkpoint(
        checkpoint, tmp_path_factory.mktemp("line") / "out", feature="sequence-classification"
    )


def test_the_result(result: tfexport.ExportResult, checkpoint: Path) -> None:
    assert result.valid and result.report.passed and result.path.is_absolute()
    assert result.manifest == json.loads((result.path / "tfexport.json").read_text())
    assert result.choice.reason == "TensorFlow, because the checkpoint holds tf_model.h5"
    assert support.assert_complete(result.path) == result.manifest


def test_the_manifest_says_where_the_file_came_from(result: tfexport.ExportResult, checkpoint: Path) -> None:
    manifest: Any = result.manifest
    whole = support.snapshot(checkpoint)
    assert manifest["source"] == {
        "checkpoint": str(checkpoint),
        "kind": "huggingface",
        "model_type": "bert",
        "model_class": "TFBertForSequenceClassification",
        "sha256": {name: whole[name] for name in ("config.json", "tf_model.h5")},
        "missing_weights": [],
    }
    assert manifest["framework"] == {"name": "tf", "reason": result.choice.reason, "weights_from": "tf"}
    assert manifest["versions"] == installed_versions()
    assert manifest["attempts"] == [{"exporter": "tf2onnx", "problems": []}] and manifest["exporter"] == "tf2onnx"
    assert (manifest["feature"], manifest["opset"], manifest["values_override"]) == (
        "sequence-classification",
        18,
        {"use_cache": False},
    )
    assert manifest["preprocessor"] == "processor"
    assert list(manifest["stages"]) == STAGES[:-1]  # written while it is published
    assert all(stage["seconds"] >= 0 and stage["peak_rss_mib"] > 0 for stage in manifest["stages"].values())


def test_the_manifest_says_what_the_file_is(result: tfexport.ExportResult) -> None:
    graph: Any = result.manifest["graphs"]["model.onnx"]
    model = onnx.load(result.path / "model.onnx")
    assert graph["inputs"] == [
        {"name": name, "dtype": "int64", "shape": ["batch", "sequence"]}
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    assert graph["outputs"] == [{"name": "logits", "dtype": "float32", "shape": ["batch", 3]}]
    assert broken_contract(open_session(result.path / "model.onnx"), contracts_of(result.manifest)["model"]) is None
    assert graph["nodes"] == len(model.graph.node)
    assert graph["weight_bytes"] == sum(onnx.numpy_helper.to_array(t).nbytes for t in model.graph.initializer)


def test_the_manifest_says_how_it_was_proven(result: tfexport.ExportResult) -> None:
    validation: Any = result.manifest["validation"]
    assert result.manifest["validated"] is True and validation["problem"] is None
    assert [case["case"] for case in validation["cases"]] == [case.case.name for case in result.report.cases]
    for case in validation["cases"]:
        assert case["problem"] is None
        (output,) = case["outputs"]
        assert output["name"] == "logits" and output["problem"] is None
        assert 0 <= output["mean_abs_error"] <= output["max_abs_error"] <= output["allowed"]
        allowed = validation["atol"] + validation["rtol"] * output["reference_max"]
        assert output["allowed"] == pytest.approx(allowed)
        assert (
            0 <= output["p99_abs_error"] <= output["max_abs_error"] <= output["max_rel_error"] * output["reference_max"]
        )
        assert output["cosine"] == pytest.approx(1, abs=1e-6) and output["same_first"] == output["same_five"] == 1
        assert len(output["worst"]) == 2 and all(i < n for i, n in zip(output["worst"], output["shape"], strict=True))
    assert validation["max_abs_error"] == max(o["max_abs_error"] for c in validation["cases"] for o in c["outputs"])


def test_companions_are_copied_byte_for_byte(result: tfexport.ExportResult, checkpoint: Path) -> None:
    published, source = support.snapshot(result.path), support.snapshot(checkpoint)
    expected = {
        "config.json",
        "generation_config.json",
        "modules.json",
        "1_Pooling/config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    }
    assert set(published) == expected | {"model.onnx", "tfexport.json"}
    assert all(published[name] == source[name] for name in expected)
    assert AutoConfig.from_pretrained(str(result.path)).num_labels == 3
    tokenizer = AutoTokenizer.from_pretrained(str(result.path))
    assert tokenizer("word7 word9")["input_ids"] == [2, 7, 9, 3]


def test_a_fast_tokenizer_is_written_for_a_checkpoint_that_has_only_its_vocabulary(
    checkpoint: Path, tmp_path: Path
) -> None:
    """transformers.js reads tokenizer.json alone."""
    shutil.copytree(checkpoint, tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "tokenizer.json").unlink()
    tfexport.export_checkpoint(tmp_path / "checkpoint", tmp_path / "out")
    made = json.loads((tmp_path / "out" / "tokenizer.json").read_text())
    assert made["model"]["vocab"]["word7"] == 7


def test_progress_and_a_relative_target(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    announced: list[str] = []
    result = tfexport.export_checkpoint(checkpoint, "out", progress=announced.append)
    assert announced == STAGES
    assert result.path == tmp_path / "out"


def test_large_weights_are_published_beside_the_graph(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 1)
    for framework in ("tf", "pt"):
        target = tmp_path / framework
        assert tfexport.export_checkpoint(checkpoint, target, framework=framework).valid
        assert {"model.onnx", "model.onnx_data"} <= set(support.assert_complete(target)["files"])
        onnx.checker.check_model(str(target / "model.onnx"), full_check=True)
        (target / "model.onnx_data").rename(tmp_path / "gone")
        with pytest.raises(onnx.checker.ValidationError):
            onnx.checker.check_model(str(target / "model.onnx"))


def test_an_invalid_export_raises_and_tells_what_differs(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"last_hidden_state: differs by .* more\. --keep-invalid"):
        tfexport.export_checkpoint(checkpoint, tmp_path / "out", atol=0, rtol=0)
    result = tfexport.export_checkpoint(checkpoint, tmp_path / "out", atol=0, rtol=0, keep_invalid=True)
    assert not result.valid and result.manifest["validated"] is False
    assert result.manifest["attempts"][0]["problems"]


def test_both_exporters_of_pytorch_are_tried_before_giving_up(
    classifier: Callable[[str], Path], tmp_path: Path
) -> None:
    result = tfexport.export_checkpoint(classifier("pt"), tmp_path / "out", atol=0, rtol=0, keep_invalid=True)
    attempts = result.manifest["attempts"]
    assert sorted(attempt["exporter"] for attempt in attempts) == ["dynamo", "torchscript"]
    assert all(attempt["problems"] for attempt in attempts)
    assert result.manifest["exporter"] == attempts[-1]["exporter"]
    support.assert_complete(tmp_path / "out")


def test_a_hub_id_in_the_cache(classifier: Callable[[str], Path], tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--tfexport-tests--tiny"
    shutil.copytree(classifier("h5"), model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    result = tfexport.export_checkpoint("tfexport-tests/tiny", tmp_path / "out", cache_dir=tmp_path / "hub")
    assert result.valid and result.manifest["source"]["checkpoint"] == "tfexport-tests/tiny"
    assert set(result.manifest["source"]["sha256"]) == {"config.json", "tf_model.h5"}


def test_preprocessors(checkpoint: Path, classifier: Callable[[str], Path]) -> None:
    assert load_preprocessor(open_checkpoint(checkpoint), "tokenizer").value.vocab_size == 99
    assert load_preprocessor(open_checkpoint(checkpoint)).kind == "processor"  # AutoProcessor finds the tokenizer
    none = load_preprocessor(open_checkpoint(classifier("h5")))
    assert none.value is None and none.kind.startswith("none that loads")
    with pytest.raises(InputsError, match="has no image_processor that loads"):
        load_preprocessor(open_checkpoint(checkpoint), "image_processor")
    with pytest.raises(InputsError, match="'magic' is not a kind of preprocessor"):
        load_preprocessor(open_checkpoint(checkpoint), "magic")


def test_a_tokenizer_that_transformers_makes_false_is_none(tmp_path: Path) -> None:
    """AutoTokenizer gives False for a PLBart checkpoint without its vocabulary, in transformers 4.57."""
    import transformers

    transformers.PLBartConfig().save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path) is False
    assert load_preprocessor(open_checkpoint(tmp_path)).value is None


def test_a_declaration_is_registered_once() -> None:
    from tfexport.declarations.architectures import register

    for arguments, message in (
        (("bert", "default"), "bert is declared twice"),
        (("gpt_neo", "default"), "gpt-neo is declared twice"),
        (("new", "default", "default"), "new declares a feature twice"),
    ):
        with pytest.raises(ValueError, match=message):
            register(*arguments)(tfexport.OnnxConfig)
    with pytest.raises(UnsupportedFeatureError):
        register("new", "poetry")(tfexport.OnnxConfig)
