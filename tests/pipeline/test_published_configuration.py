"""The configuration of an exported directory says what was used, so that clients and `tfexport validate` load it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer, BertTokenizerFast

import tfexport
from tests import support
from tfexport.errors import CorruptCheckpointError, InputsError, MismatchedWeightsError
from tfexport.parity.api import parity


@pytest.fixture(scope="module")
def nameless(classifier: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT whose configuration names no model type, in a folder named like another type, with a vocabulary and nothing else."""
    folder = tmp_path_factory.mktemp("nameless") / "roberta-large"
    shutil.copytree(classifier("h5"), folder)
    support.small_tokenizer(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink()
    values = json.loads((folder / "config.json").read_text())
    del values["model_type"]
    (folder / "config.json").write_text(json.dumps(values))
    return folder


@pytest.fixture(scope="module")
def exported(nameless: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    folder = tmp_path_factory.mktemp("exported") / "roberta-out"
    result = tfexport.export_checkpoint(nameless, folder, feature="sequence-classification", model_type="bert")
    assert result.valid and result.manifest["preprocessor"] == "tokenizer"
    return folder


def test_an_export_with_a_model_type_loads(exported: Path, nameless: Path) -> None:
    assert AutoConfig.from_pretrained(exported).model_type == "bert"
    tokenizer = AutoTokenizer.from_pretrained(exported)
    assert isinstance(tokenizer, BertTokenizerFast)
    assert tokenizer("word7 word9")["input_ids"] == [2, 7, 9, 3]
    assert (exported / "config.original.json").read_bytes() == (nameless / "config.json").read_bytes()
    original, published = (json.loads((exported / f"config{name}.json").read_text()) for name in (".original", ""))
    assert published == original | {"model_type": "bert"}


def test_validate_reads_the_model_type_of_the_manifest(exported: Path, nameless: Path) -> None:
    assert tfexport.validate_export(exported).agrees
    with pytest.raises(CorruptCheckpointError, match="--model-type"):
        tfexport.validate_export(exported, reference=nameless)
    assert tfexport.validate_export(exported, reference=nameless, model_type="bert").agrees


def test_parity_accepts_a_model_type(nameless: Path, cli: Callable[..., support.Ran]) -> None:
    assert parity(nameless, feature="sequence-classification", model_type="bert").agrees
    ran = cli("parity", nameless)
    assert ran.code == 2 and "--model-type" in ran.err


def test_the_benchmark_accepts_a_model_type(nameless: Path, tmp_path: Path, cli: Callable[..., support.Ran]) -> None:
    results = tmp_path / "results.json"
    ran = cli(
        *("benchmark", nameless, "--model-type", "bert", "--engines", "ort,tf-eager", "--batch-sizes", "1"),
        *("--sequence-lengths", "8", "--launches", "1", "--time-limit", "5", "--output", results),
    )
    assert ran.code == 0, ran.err
    (target,) = json.loads(results.read_text())["targets"]
    assert (target["model_type"], target["feature"]) == ("bert", "sequence-classification")


def test_the_class_that_was_used(classifier: Callable[[str], Path], tmp_path: Path) -> None:
    """The base model of a classifier: a client that reads ``architectures`` would look for logits."""
    tfexport.export_checkpoint(classifier("h5"), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == ["BertModel"]
    before = json.loads((tmp_path / "out" / "config.original.json").read_text())
    assert before["architectures"] == ["BertForSequenceClassification"]


def test_the_number_of_labels_that_was_used(classifier: Callable[[str], Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(classifier("h5"), source)
    values: dict[str, Any] = json.loads((source / "config.json").read_text())
    labels = {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    (source / "config.json").write_text(json.dumps(values | labels | {"num_labels": 50}))
    tfexport.export_checkpoint(source, tmp_path / "out", feature="sequence-classification")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_labels"] == 3


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_two_numbers_of_labels(framework: str, classifier: Callable[[str], Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(classifier("h5" if framework == "tf" else "pt"), source)
    values: dict[str, Any] = json.loads((source / "config.json").read_text())
    labels = {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}, "num_labels": 3}
    (source / "config.json").write_text(json.dumps(values | labels))
    with pytest.raises(MismatchedWeightsError, match="num_labels is 3, and id2label lists 2.*counts id2label"):
        tfexport.export_checkpoint(source, tmp_path / "out", feature="sequence-classification", framework=framework)


def test_options_without_effect(classifier: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(InputsError, match=r"sequence-classification of .* is one file in any case.*--monolith"):
        tfexport.export_checkpoint(classifier("h5"), tmp_path / "out", feature="sequence-classification", monolith=True)
    with pytest.raises(InputsError, match=r"do not apply to .*: model_type, preprocessor, monolith\. They are for"):
        tfexport.export_checkpoint(
            support.ROOT / "tests" / "fuzz" / "samples" / "dense.keras",
            tmp_path / "out",
            model_type="bert",
            preprocessor="tokenizer",
            monolith=True,
        )
    assert not (tmp_path / "out").exists()
