"""Features by their names, by optimum's names, and by the class that a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tfexport
from conformance.zoo.tiny import tiny_config
from tests import support
from tfexport.checkpoints.framework import FRAMEWORKS
from tfexport.declarations.architectures import declarations
from tfexport.declarations.architectures.unsupported import UNSUPPORTED
from tfexport.declarations.features import AUTO, choose_feature, config_factory, model_class, supported
from tfexport.declarations.tasks import SYNONYMS, TASKS, canonical, task_of
from tfexport.errors import UnsupportedFeatureError, UnsupportedModelTypeError
from tfexport.onnx.features import FeaturesManager

# The task names of optimum-onnx 0.1.0 (its TasksManager) that have another name here.
OPTIMUM = {
    "feature-extraction": "default",
    "fill-mask": "masked-lm",
    "text-generation": "causal-lm",
    "text-generation-with-past": "causal-lm-with-past",
    "text2text-generation": "seq2seq-lm",
    "text2text-generation-with-past": "seq2seq-lm-with-past",
    "text-classification": "sequence-classification",
    "automatic-speech-recognition": "speech2seq-lm",
    "image-to-text": "vision2seq-lm",
    "image-text-to-text": "vision2seq-lm",
    "zero-shot-image-classification": "default",
}


def _config(model_type: str, *architectures: str) -> Any:
    return SimpleNamespace(model_type=model_type, architectures=list(architectures))


@pytest.mark.parametrize(("theirs", "ours"), OPTIMUM.items())
def test_optimums_names_are_synonyms(theirs: str, ours: str) -> None:
    assert canonical(theirs) == ours
    assert task_of(theirs) is task_of(ours)


def test_no_synonym_hides_a_task() -> None:
    assert not set(SYNONYMS) & set(TASKS)
    assert {meant for meanings in SYNONYMS.values() for meant in meanings} <= set(TASKS)


def test_a_synonym_of_two_tasks_is_the_one_that_the_type_has() -> None:
    assert canonical("automatic-speech-recognition", ("default", "ctc")) == "ctc"
    assert canonical("automatic-speech-recognition", ("default", "speech2seq-lm")) == "speech2seq-lm"


def test_synonyms_serve_the_whole_api() -> None:
    config = tiny_config("bert")
    assert config_factory("bert", "fill-mask")(config).task == "masked-lm"
    assert model_class("bert", "fill-mask", "tf") == "TFBertForMaskedLM"
    assert FeaturesManager.feature_to_task("text-generation-with-past") == "causal-lm"
    ours = FeaturesManager.get_model_class_for_feature("fill-mask", "tf")
    assert ours is FeaturesManager.get_model_class_for_feature("masked-lm", "tf")
    assert FeaturesManager.get_config("bert", "text-classification")(config).task == "sequence-classification"


@pytest.mark.parametrize("entry", supported(), ids=lambda entry: f"{entry.model_type}-{entry.feature}")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_auto_finds_a_feature_that_the_class_computes(entry: Any, framework: Any) -> None:
    """XLM's language head serves two features, and CLIP's model two tasks: the first declared is taken."""
    name = entry.classes.get(framework)
    if name is None:
        return
    chosen = choose_feature(AUTO, _config(entry.model_type, name))
    assert name in declarations()[entry.model_type].model_classes(chosen, framework)


@pytest.mark.parametrize(
    ("architecture", "feature"),
    [
        ("BertModel", "default"),
        ("TFBertForMaskedLM", "masked-lm"),
        ("BertForSequenceClassification", "sequence-classification"),
        ("BertLMHeadModel", "causal-lm"),
    ],
)
def test_auto(architecture: str, feature: str) -> None:
    assert choose_feature(AUTO, _config("bert", architecture)) == feature


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["BertForDreaming"], "its architectures are BertForDreaming"),
        ([], "its config.json does not name architectures"),
    ],
)
def test_auto_without_an_answer(architectures: list[str], expected: str) -> None:
    message = rf"{expected}\. Name one with --feature \(feature=...\): default, masked-lm"
    with pytest.raises(UnsupportedFeatureError, match=message):
        choose_feature(AUTO, _config("bert", *architectures))


def test_a_type_that_is_not_declared() -> None:
    with pytest.raises(UnsupportedModelTypeError, match="'transformer-xxl'"):
        choose_feature(AUTO, _config("transformer-xxl", "XxlModel"))


def test_the_class_that_a_checkpoint_names_is_loaded() -> None:
    assert model_class("bert", "default", "tf", ["BertForMaskedLM"]) == "TFBertModel"


@pytest.mark.parametrize("form", support.FORMS)
def test_auto_from_the_command_line(form: str, classifier: Any, cli: Any, tmp_path: Path) -> None:
    ran = cli("export", "-m", classifier(form), "--feature", "auto", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "BertForSequenceClassification, sequence-classification" in ran.out
    assert support.assert_complete(tmp_path / "out")["feature"] == "sequence-classification"


def test_a_synonym_from_python(masked_lm: Any, tmp_path: Path) -> None:
    result = tfexport.export_checkpoint(masked_lm("h5"), tmp_path / "out", feature="fill-mask")
    assert result.valid
    assert result.manifest["feature"] == "masked-lm"


def test_what_is_not_exported_says_why() -> None:
    with pytest.raises(UnsupportedFeatureError, match="transformers has no such class in either framework"):
        config_factory("flaubert", "causal-lm")
    declared = {(entry.model_type, entry.feature): entry.classes for entry in supported()}
    for entry in UNSUPPORTED:
        assert entry.cause.endswith(".")
        exported = declared.get((entry.model_type, str(entry.feature)), {})
        assert entry.framework not in exported, entry
        if entry.feature is None:
            assert entry.model_type not in declarations()
