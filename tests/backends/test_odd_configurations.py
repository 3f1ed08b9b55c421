"""Configurations with values of other types and sizes: each is one typed error, whatever the framework makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tfexport.backends import get_backend
from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.declarations.features import architectures_of
from tfexport.errors import CheckpointError, CorruptCheckpointError, UnsupportedCheckpointError, UnsupportedFeatureError
from tfexport.pipeline.options import export_options
from tfexport.pipeline.plan import make_plan

FORMS: dict[Framework, str] = {"pt": "pt", "tf": "h5"}
ODD: list[dict[str, Any]] = [
    {"hidden_size": "abc"},
    {"hidden_size": -32},
    {"hidden_size": 0},
    {"hidden_size": [32]},
    {"hidden_size": None},
    {"hidden_size": 32.5},
    {"hidden_size": {}},
    {"num_attention_heads": 0},
    {"num_attention_heads": "x"},
    {"num_hidden_layers": "x"},
    {"num_hidden_layers": [1]},
    {"hidden_act": 5},
    {"hidden_act": "os.system"},
    {"hidden_dropout_prob": "x"},
    {"layer_norm_eps": "x"},
    {"vocab_size": "x"},
    {"vocab_size": -1},
    {"vocab_size": 2**80},
    {"id2label": "x"},
    {"id2label": [1]},
    {"id2label": {"a": 1}},
    {"num_labels": "x"},
]


def _with(folder: Path, source: Path, **values: Any) -> Path:
    shutil.copytree(source, folder)
    support.write_config(folder, {**json.loads((folder / "config.json").read_text()), **values})
    return folder


def _load(folder: Path, framework: Framework, **options: Any) -> None:
    plan = make_plan(str(folder), export_options(framework=framework, **options))
    get_backend(framework).load(plan.checkpoint, plan.model_class, plan.choice)  # type: ignore[union-attr]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_value_of_another_type(framework: Framework, bert: Callable[[str], Path], tmp_path: Path) -> None:
    told = []
    for number, values in enumerate(ODD):
        try:
            _load(_with(tmp_path / str(number), bert(FORMS[framework]), **values), framework)
        except CheckpointError as error:
            told.append(str(error))
        # A value that the framework never reads, or that means the same, is no fault.
    assert len(told) > len(ODD) * 2 / 3
    assert all(len(text) < 1500 and "\n" not in text for text in told)


@pytest.mark.parametrize(
    ("model_type", "class_name", "values"),
    [
        ("t5", "T5Model", {"d_model": "x"}),
        ("t5", "T5Model", {"num_heads": 0}),
        ("vit", "ViTModel", {"image_size": 0}),
        ("vit", "ViTModel", {"patch_size": 0}),
        ("vit", "ViTModel", {"patch_size": None}),
        ("swin", "SwinModel", {"depths": None}),
        ("clip", "CLIPModel", {"vision_config": [1]}),
        ("clip", "CLIPModel", {"text_config": "x"}),
        ("gpt2", "GPT2Model", {"n_head": 0}),
        ("gpt2", "GPT2Model", {"n_embd": [1]}),
    ],
)
def test_other_families(model_type: str, class_name: str, values: dict[str, Any], tmp_path: Path) -> None:
    support.save_tiny(tmp_path / "sound", model_type, class_name, "pt")
    with pytest.raises(CheckpointError):
        _load(_with(tmp_path / "odd", tmp_path / "sound", **values), "pt")


@pytest.mark.parametrize("architectures", [5, "BertModel", [["BertModel"]], {"a": 1}, [None]])
def test_architectures_that_are_not_names(architectures: Any, bert: Callable[[str], Path], tmp_path: Path) -> None:
    folder = _with(tmp_path / "model", bert("pt"), architectures=architectures)
    with pytest.raises(UnsupportedFeatureError, match="does not name architectures"):
        make_plan(str(folder), export_options(feature="auto"))
    assert make_plan(str(folder), export_options()).feature == "default"


def test_names_of_architectures() -> None:
    class Config:
        architectures = ("BertModel", 5)

    assert architectures_of(Config()) == ("BertModel",)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "evil"])
def test_quantised_weights(method: str, framework: Framework, bert: Callable[[str], Path], tmp_path: Path) -> None:
    folder = _with(tmp_path / "model", bert(FORMS[framework]), quantization_config={"quant_method": method})
    with pytest.raises(UnsupportedCheckpointError, match=f"names '{method}'.*not exported.*dequantise"):
        _load(folder, framework)


def test_an_adapter(bert: Callable[[str], Path], tmp_path: Path) -> None:
    folder = _with(tmp_path / "model", bert("pt"))
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/elsewhere"}))
    with pytest.raises(UnsupportedCheckpointError, match="adapter.*merge_and_unload"):
        _load(folder, "pt")


def test_a_configuration_that_is_nested_deeply(bert: Callable[[str], Path], tmp_path: Path) -> None:
    folder = _with(tmp_path / "model", bert("pt"))
    text = (folder / "config.json").read_text().rstrip().removesuffix("}")
    (folder / "config.json").write_text(text + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(CorruptCheckpointError, match="nested deeper"):
        _load(folder, "pt")
