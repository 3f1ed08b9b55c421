"""Declarations of text models with more than a list of inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport import OnnxConfig, export_checkpoint
from tfexport.backends import get_backend
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.features import choose_feature, config_factory, model_class
from tfexport.errors import TracingError
from tfexport.validation import case_inputs

DPR = {"DPRQuestionEncoder": "default", "DPRContextEncoder": "default", "DPRReader": "question-answering"}


@pytest.mark.parametrize("framework", ["pt", "tf"])
@pytest.mark.parametrize("name", DPR)
def test_a_checkpoint_of_dpr_is_exported_by_its_own_class(name: str, framework: Framework, tmp_path: Path) -> None:
    pytest.importorskip({"pt": "torch", "tf": "tensorflow"}[framework])
    own = name if framework == "pt" else f"TF{name}"
    model = tiny_model(framework, own, tiny_config("dpr"))
    model.save_pretrained(tmp_path / "checkpoint")
    result = export_checkpoint(tmp_path / "checkpoint", tmp_path / "onnx", feature="auto")
    assert result.valid
    assert result.manifest["source"]["model_class"] == own
    outputs = ["pooler_output"] if DPR[name] == "default" else ["start_logits", "end_logits", "relevance_logits"]
    assert [output["name"] for output in result.manifest["graphs"]["model.onnx"]["outputs"]] == outputs


@pytest.mark.parametrize("name", DPR)
def test_a_checkpoint_of_dpr_names_its_feature(name: str) -> None:
    config = tiny_config("dpr")
    config.architectures = [name]
    assert choose_feature("auto", config) == DPR[name]
    assert model_class("dpr", DPR[name], "pt", [name]) == name


def test_ernie_has_types_of_tasks_except_for_choices() -> None:
    config = tiny_config("ernie")
    assert list(config_factory("ernie", "default")(config).inputs)[-1] == "task_type_ids"
    choices = config_factory("ernie", "multiple-choice")(config)
    assert list(choices.inputs) == ["input_ids", "attention_mask", "token_type_ids"]


def test_types_of_tasks_are_those_that_the_model_knows() -> None:
    declaration = config_factory("ernie", "default")(tiny_config("ernie"))
    made = declaration.generate_dummy_inputs(None, batch_size=4, seq_length=16)["task_type_ids"]
    assert made.dtype == np.int64
    assert sorted(set(made.flat)) == [0, 1, 2]


def test_ernie_still_fails_on_types_of_tasks_of_choices() -> None:
    """This test fails when a later transformers accepts them. They can be declared then (transformers 4.57.6)."""
    pytest.importorskip("torch")
    config = tiny_config("ernie")

    class WithTasks(type(config_factory("ernie", "default")(config))):  # type: ignore[misc]
        @property
        def inputs(self) -> Any:
            return self._of_a_text

    declaration = WithTasks(config, task="multiple-choice")
    model = tiny_model("pt", "ErnieForMultipleChoice", config)
    with pytest.raises(TracingError, match="must match the size"):
        get_backend("pt").run(model, declaration, case_inputs(declaration, None, None, "pt"))


def test_xmod_tells_its_language() -> None:
    (caveat,) = config_factory("xmod", "default")(tiny_config("xmod"))._caveats_
    assert caveat == "reads only de_DE, the configuration's default_language."


def test_outputs_that_are_a_tensor_a_layer_are_numbered() -> None:
    """XLNet's memory and every model's hidden states have one name per layer, not one per row."""
    layers = (np.zeros((2, 3)), np.ones((2, 3)))
    flat = OnnxConfig.flatten_output_collection_property("mems", layers)
    assert list(flat) == ["mems.0", "mems.1"]
    assert flat["mems.1"] is layers[1]
