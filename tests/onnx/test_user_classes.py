"""A configuration class written against ``transformers.onnx`` works with only its import changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
import transformers
import transformers.onnx as seed
from transformers import TensorType

import tfexport
from conformance.zoo.tiny import tiny_config
from tests import support
from tfexport.errors import InputsError, TracingError, UnsupportedError, ValidationError

FRAMEWORKS = ("tf", "pt")


def _as_module(function: Any) -> Any:
    """Return a function as a torch module: an activation is a child module, and only a module can replace it."""
    import torch

    module = torch.nn.Identity()
    module.forward = function
    return module


WRAPPERS = {"tf": None, "pt": _as_module}


def users_config(library: ModuleType) -> type[Any]:
    """Return a class as in a user's repository, except for its import: ``from {library} import OnnxConfig``."""
    OnnxConfig: Any = library.OnnxConfig  # noqa: N806

    class MyOnnxConfig(OnnxConfig):  # type: ignore[misc]
        frameworks_asked_for: list[Any] = []

        @property
        def inputs(self) -> Mapping[str, Mapping[int, str]]:
            if self.task == "multiple-choice":
                dynamic_axis = {0: "batch", 1: "choice", 2: "sequence"}
            else:
                dynamic_axis = {0: "batch", 1: "sequence"}
            if self._config.type_vocab_size > 0:
                return OrderedDict(
                    [
                        ("input_ids", dynamic_axis),
                        ("attention_mask", dynamic_axis),
                        ("token_type_ids", dynamic_axis),
                    ]
                )
            return OrderedDict([("input_ids", dynamic_axis), ("attention_mask", dynamic_axis)])

        @property
        def values_override(self) -> Mapping[str, Any] | None:
            return {"output_hidden_states": False, "my_own_switch": True}

        @property
        def default_onnx_opset(self) -> int:
            return 15

        @property
        def atol_for_validation(self) -> float:
            return 1e-4

        def generate_dummy_inputs(
            self,
            preprocessor: Any,
            batch_size: int = -1,
            seq_length: int = -1,
            num_choices: int = -1,
            is_pair: bool = False,
            framework: TensorType | None = None,
            num_channels: int = 3,
            image_width: int = 40,
            image_height: int = 40,
            tokenizer: Any = None,
        ) -> Mapping[str, Any]:
            dummy_inputs: dict[str, Any] = super().generate_dummy_inputs(
                preprocessor=preprocessor,
                batch_size=batch_size,
                seq_length=seq_length,
                num_choices=num_choices,
                is_pair=is_pair,
                framework=framework,
            )
            self.frameworks_asked_for.append(framework)
            if self._config.type_vocab_size == 0 and "token_type_ids" in dummy_inputs:
                del dummy_inputs["token_type_ids"]
            return dummy_inputs

    return MyOnnxConfig


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a tokenizer with the tiny models' vocabulary."""
    return support.small_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """Return the same tiny BERT in both frameworks."""
    import tensorflow as tf
    import torch

    config = tiny_config("bert")
    torch.manual_seed(0)
    tf.random.set_seed(0)
    tf_model = transformers.TFBertModel(config)
    tf_model.build_in_name_scope()
    return {"tf": tf_model, "pt": transformers.BertModel(config).eval()}


@pytest.mark.parametrize("type_vocab_size", [0, 2])
@pytest.mark.parametrize("task", ["default", "masked-lm", "multiple-choice", "question-answering"])
def test_the_declaration_says_the_same(task: str, type_vocab_size: int) -> None:
    config = tiny_config("bert")
    config.type_vocab_size = type_vocab_size
    theirs, ours = (users_config(library).from_model_config(config, task=task) for library in (seed, tfexport))
    for name in (
        "inputs",
        "values_override",
        "default_onnx_opset",
        "atol_for_validation",
        "default_batch_size",
        "default_sequence_length",
        "default_num_choices",
        "task",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
    # One logit per choice: tests/declarations/deviations.py.
    expected = {"logits": {0: "batch", 1: "choice"}} if task == "multiple-choice" else theirs.outputs
    assert ours.outputs == expected
    assert list(ours.inputs) == list(theirs.inputs)
    assert list(ours.outputs) == list(theirs.outputs)


@pytest.mark.parametrize("framework", [TensorType.TENSORFLOW, TensorType.PYTORCH])
@pytest.mark.parametrize("type_vocab_size", [0, 2])
def test_dummy_inputs_have_the_names_and_shapes_of_the_seeds(
    tokenizer: Any, framework: TensorType, type_vocab_size: int
) -> None:
    config = tiny_config("bert")
    config.type_vocab_size = type_vocab_size
    theirs, ours = (
        users_config(library)(config).generate_dummy_inputs(tokenizer, 3, 9, framework=framework)
        for library in (seed, tfexport)
    )
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert tuple(value.shape) == tuple(theirs[name].shape)
        assert type(value) is type(theirs[name])


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("with_tokenizer", [True, False])
def test_export_and_validate(
    framework: str, with_tokenizer: bool, models: dict[str, Any], tokenizer: Any, tmp_path: Path
) -> None:
    model, preprocessor = models[framework], tokenizer if with_tokenizer else None
    config = users_config(tfexport)(model.config)
    output = tmp_path / "new" / "model.onnx"
    inputs, outputs = tfexport.export(preprocessor, model, config, config.default_onnx_opset, output)
    assert (inputs, outputs) == (list(config.inputs), list(config.outputs))
    proto = onnx.load(output)
    assert [i.name for i in proto.graph.input] == inputs
    assert [o.name for o in proto.graph.output] == outputs
    assert {entry.domain: entry.version for entry in proto.opset_import}[""] == 15
    assert [file.name for file in output.parent.iterdir()] == ["model.onnx"]
    tfexport.validate_model_outputs(config, preprocessor, model, output, outputs, config.atol_for_validation)
    assert set(config.frameworks_asked_for) == {framework}
    assert not hasattr(model.config, "my_own_switch")
    assert model.config.output_hidden_states is False


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_validation_fails_on_another_model(framework: str, models: dict[str, Any], tmp_path: Path) -> None:
    model = models[framework]
    config = users_config(tfexport)(model.config)
    _, outputs = tfexport.export(None, model, config, 18, tmp_path / "model.onnx")
    other = type(model)(tiny_config("bert"))
    if framework == "tf":
        other.build_in_name_scope()
    else:
        other.eval()
    with pytest.raises(ValidationError, match="disagrees with its source") as caught:
        tfexport.validate_model_outputs(config, None, other, tmp_path / "model.onnx", outputs, 1e-4)
    assert isinstance(caught.value, ValueError)


def test_outputs_that_are_not_the_declarations(models: dict[str, Any], tmp_path: Path) -> None:
    model = models["pt"]
    config = users_config(tfexport)(model.config)
    for named in ([], ["last_hidden_state", "pooler_output"]):
        with pytest.raises(ValidationError, match="outputs"):
            tfexport.validate_model_outputs(config, None, model, tmp_path / "absent.onnx", named, 1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_patches_act_while_the_model_is_traced_and_only_then(
    framework: str, models: dict[str, Any], tmp_path: Path
) -> None:
    """Replacing the activation changes the graph; the model's own module is as it was afterwards."""
    model = models[framework]
    layer = (model.bert if framework == "tf" else model).encoder.layer[0].intermediate
    before, calls = layer.intermediate_act_fn, []

    def doubled(states: Any) -> Any:
        calls.append(1)
        return states * 2

    spec = tfexport.PatchingSpec(layer, "intermediate_act_fn", doubled, op_wrapper=WRAPPERS[framework])
    patched = users_config(tfexport)(model.config, patching_specs=[spec])
    plain = users_config(tfexport)(model.config)
    _, outputs = tfexport.export(None, model, patched, 18, tmp_path / "patched.onnx")
    assert calls
    assert layer.intermediate_act_fn is before
    tfexport.validate_model_outputs(patched, None, model, tmp_path / "patched.onnx", outputs, 1e-4)
    with pytest.raises(ValidationError):
        tfexport.validate_model_outputs(plain, None, model, tmp_path / "patched.onnx", outputs, 1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_failing_export_leaves_nothing_behind(framework: str, models: dict[str, Any], tmp_path: Path) -> None:
    model = models[framework]
    layer = (model.bert if framework == "tf" else model).encoder.layer[0].intermediate
    before = layer.intermediate_act_fn

    def refuse(states: Any) -> Any:
        raise ValueError("not today")

    spec = tfexport.PatchingSpec(layer, "intermediate_act_fn", refuse, op_wrapper=WRAPPERS[framework])
    config = users_config(tfexport)(model.config, patching_specs=[spec])
    with pytest.raises(TracingError, match="not today"):
        tfexport.export(None, model, config, 18, tmp_path / "model.onnx")
    assert layer.intermediate_act_fn is before
    assert not hasattr(model.config, "my_own_switch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("feature", ["default", "sequence-classification"])
def test_the_recipe_of_the_seeds_documentation(
    framework: str, feature: str, tokenizer: Any, tmp_path: Path, classifier: Any
) -> None:
    """https://huggingface.co/docs/transformers/v4.57.0/serialization, with its imports changed."""
    checkpoint = classifier("h5" if framework == "tf" else "pt")
    model = tfexport.FeaturesManager.get_model_from_feature(feature, checkpoint, framework=framework)
    kind, make = tfexport.FeaturesManager.check_supported_model_or_raise(model, feature=feature)
    config = make(model.config)
    assert kind == "bert"
    inputs, outputs = tfexport.export(
        preprocessor=tokenizer,
        model=model,
        config=config,
        opset=config.default_onnx_opset,
        output=tmp_path / "model.onnx",
    )
    assert set(inputs) <= set(tokenizer.model_input_names)
    tfexport.validate_model_outputs(
        config, tokenizer, model, tmp_path / "model.onnx", outputs, config.atol_for_validation
    )


def test_what_cannot_be_exported_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    config = users_config(tfexport)(tiny_config("bert"))
    with pytest.raises(UnsupportedError, match="object is not a PyTorch or TensorFlow"):
        tfexport.export(None, object(), config, 18, tmp_path / "model.onnx")
    with pytest.raises(InputsError, match="device='cuda'"):
        tfexport.export(None, models["pt"], config, 18, tmp_path / "model.onnx", device="cuda")
    assert list(tmp_path.iterdir()) == []
