"""Bugs of ``transformers.onnx`` 4.57.6, numbered as in this project's list. tfexport has none of them.

Bugs of the other families (vision, audio, encoder-decoders) are tested with their declarations.
"""

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
from transformers import BartConfig, T5Config

import tfexport
from conformance.zoo.tiny import tiny_config
from tests import support
from tests.onnx.declared import GPT2, gpt_like, t5_like
from tests.support import Ran
from tfexport.declarations.features import config_factory
from tfexport.errors import (
    ContractError,
    ConversionError,
    InputsError,
    OutputError,
    UnsupportedError,
    UnsupportedFeatureError,
    UnsupportedModelTypeError,
)
from tfexport.onnx.features import FeaturesManager

Cli = Callable[..., Ran]
FRAMEWORKS = {"tf": "h5", "pt": "pt"}


def _session(folder: Path) -> Any:
    return onnxruntime.InferenceSession(str(folder / "model.onnx"))


@pytest.fixture(scope="module")
def exported(classifier: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that exports a BERT classifier from a framework with the default options."""
    done: dict[str, Path] = {}

    def export(framework: str) -> Path:
        if framework not in done:
            target = tmp_path_factory.mktemp("exported") / framework
            checkpoint = classifier(FRAMEWORKS[framework])
            assert tfexport.export_checkpoint(checkpoint, target, feature="sequence-classification").valid
            done[framework] = target
        return done[framework]

    return export


def test_bug_01_past_inputs_of_tensorflow_need_no_torch() -> None:
    import tensorflow as tf

    made = gpt_like(tfexport).with_past(GPT2).generate_dummy_inputs(None, framework="tf")
    assert all(isinstance(tensor, tf.Tensor) for layer in made["past_key_values"] for tensor in layer)
    assert isinstance(made["attention_mask"], tf.Tensor)
    # tests/backends/test_isolation.py does the same where torch cannot be imported.


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_bug_02_exact_gelu_of_tensorflow(activation: str, tmp_path: Path) -> None:
    support.save_tiny(tmp_path / "checkpoint", "bert", "BertModel", "h5", hidden_act=activation)
    assert tfexport.export_checkpoint(tmp_path / "checkpoint", tmp_path / "out").valid
    ops = {node.op_type for node in onnx.load(tmp_path / "out" / "model.onnx").graph.node}
    assert "Erfc" not in ops
    assert ("Erf" in ops) == (activation == "gelu")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_bug_03_axes_are_named_as_declared(framework: str, exported: Callable[[str], Path]) -> None:
    session = _session(exported(framework))
    assert {tuple(value.shape) for value in session.get_inputs()} == {("batch", "sequence")}
    assert [tuple(value.shape) for value in session.get_outputs()] == [("batch", 3)]
    assert b"unk__" not in (exported(framework) / "model.onnx").read_bytes()


def test_bug_04_the_files_of_both_frameworks_are_interchangeable(exported: Callable[[str], Path]) -> None:
    ports = [
        [(v.name, v.type, v.shape) for v in (*_session(exported(f)).get_inputs(), *_session(exported(f)).get_outputs())]
        for f in FRAMEWORKS
    ]
    assert ports[0] == ports[1]
    assert {kind for name, kind, _ in ports[0] if name != "logits"} == {"tensor(int64)"}


class _Misnamed(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch", 1: "sequence"}, "decoder_input_ids": {0: "batch", 1: "sequence"}}


@pytest.fixture(scope="module")
def models(bert: Callable[[str], Path]) -> dict[str, Any]:
    """Return the tiny BERT, loaded in each framework."""
    return {f: FeaturesManager.get_model_from_feature("default", bert(form)) for f, form in FRAMEWORKS.items()}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_bug_05_inputs_that_the_model_does_not_take_are_an_error(
    framework: str, models: dict[str, Any], tmp_path: Path
) -> None:
    config = _Misnamed(models[framework].config)
    with pytest.raises((ContractError, TypeError, ValueError), match="decoder_input_ids"):
        tfexport.export(None, models[framework], config, 18, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_bug_05_undeclared_outputs_are_not_in_the_file(
    framework: str, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    tfexport.export_checkpoint(bert(FRAMEWORKS[framework]), tmp_path / "out")
    assert [value.name for value in _session(tmp_path / "out").get_outputs()] == ["last_hidden_state"]
    model = onnx.load(tmp_path / "out" / "model.onnx")
    assert not [tensor.name for tensor in model.graph.initializer if "pooler" in tensor.name]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("opset", [13, 15, 18, 20, 21])
def test_bug_06_the_opset_asked_for_is_the_opset_in_the_file(
    framework: str, opset: int, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    result = tfexport.export_checkpoint(bert(FRAMEWORKS[framework]), tmp_path / "out", opset=opset)
    model = onnx.load(tmp_path / "out" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset == result.manifest["opset"]
    assert sorted(support.snapshot(tmp_path / "out")) == ["config.json", "model.onnx", "tfexport.json"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_bug_07_a_failed_export_leaves_the_process_as_it_was(
    framework: str, models: dict[str, Any], tmp_path: Path
) -> None:
    model = models[framework]
    before, value = model.config.to_json_string(), model.config.use_cache

    def broken(*arguments: Any, **named: Any) -> Any:
        raise ValueError("patched and broken")

    owner, name = (type(model), "call") if framework == "tf" else (type(model), "forward")
    original = vars(owner)[name]
    spec = tfexport.PatchingSpec(owner, name, broken)
    config = config_factory("bert", "default")(model.config)
    config._patching_specs.append(spec)
    with pytest.raises((ValueError, ConversionError)):
        tfexport.export(None, model, config, 18, tmp_path / "model.onnx")
    assert vars(owner)[name] is original
    assert model.config.to_json_string() == before
    assert model.config.use_cache is value is True


def test_bug_07_a_finished_export_leaves_the_configuration_as_it_was(models: dict[str, Any], tmp_path: Path) -> None:
    for framework, model in models.items():
        before = model.config.to_json_string()
        config = config_factory("bert", "default")(model.config)
        tfexport.export(None, model, config, 18, tmp_path / f"{framework}.onnx")
        assert model.config.to_json_string() == before


@pytest.mark.parametrize(("encoder", "decoder"), [(12, 6), (3, 12), (6, 6), (1, 4)])
def test_bug_08_past_has_four_tensors_for_each_layer_of_the_decoder(encoder: int, decoder: int) -> None:
    small = {"d_model": 8, "vocab_size": 9}
    for config in (
        T5Config(num_layers=encoder, num_decoder_layers=decoder, num_heads=2, d_kv=3, **small),
        BartConfig(
            encoder_layers=encoder,
            decoder_layers=decoder,
            encoder_attention_heads=2,
            decoder_attention_heads=4,
            **small,
        ),
    ):
        declared = t5_like(tfexport).with_past(config)
        filled: dict[str, Any] = {}
        declared.fill_with_past_key_values_(filled, direction="outputs")
        assert len(filled) == 4 * decoder
        assert {name.split(".")[1] for name in filled} == set(map(str, range(decoder)))
        made = declared.generate_dummy_inputs(None)["past_key_values"]
        assert [len(layer) for layer in made] == [4] * decoder
        flat = declared.flatten_output_collection_property("present", made)
        assert set(flat) == set(filled)


@pytest.mark.parametrize(("hidden", "heads", "width"), [(512, 6, 64), (512, 8, 64), (64, 3, 10)])
def test_bug_09_heads_are_as_wide_as_the_model_says(hidden: int, heads: int, width: int) -> None:
    """flan-t5-small: 512 over 6 heads of 64."""
    config = T5Config(d_model=hidden, num_heads=heads, d_kv=width, num_layers=1, vocab_size=9)
    past = t5_like(tfexport).with_past(config).generate_dummy_inputs(None)["past_key_values"]
    assert {tensor.shape[3] for layer in past for tensor in layer} == {width}
    assert {tensor.shape[1] for layer in past for tensor in layer} == {heads}


def test_bug_10_a_decoder_step_is_one_token_and_its_mask_is_whole_numbers(tmp_path: Path) -> None:
    tokenizer = support.small_tokenizer(tmp_path)
    config = BartConfig(vocab_size=99, d_model=8, encoder_layers=1, decoder_layers=1, decoder_attention_heads=2)
    made = t5_like(tfexport).with_past(config).generate_dummy_inputs(tokenizer, batch_size=3, seq_length=5)
    assert made["decoder_input_ids"].shape == (3, 1)
    assert made["decoder_attention_mask"].dtype == made["attention_mask"].dtype == np.int64
    past = made["past_key_values"][0][0].shape[2]
    assert made["decoder_attention_mask"].shape == (3, past + 1)


@pytest.mark.parametrize("task", ["sequence-classification", "question-answering"])
def test_bug_11_every_declared_input_is_made(task: str, tmp_path: Path) -> None:
    for tokenizer in (None, support.small_tokenizer(tmp_path)):
        config = t5_like(tfexport)(BartConfig(vocab_size=99, d_model=8), task=task)
        assert list(config.generate_dummy_inputs(tokenizer)) == list(config.inputs)
        assert len(config.inputs) == 4


@pytest.mark.parametrize("model_type", ["deberta", "deberta-v2"])
@pytest.mark.parametrize("types", [0, 2])
def test_bug_12_deberta_makes_the_shapes_asked_for(model_type: str, types: int) -> None:
    config = tiny_config(model_type)
    config.type_vocab_size = types
    made = config_factory(model_type, "default")(config).generate_dummy_inputs(None, batch_size=5, seq_length=11)
    assert {value.shape for value in made.values()} == {(5, 11)}
    assert ("token_type_ids" in made) == (types > 0)


def test_bug_13_choices_of_roformer_and_its_features() -> None:
    declared = config_factory("roformer", "multiple-choice")(tiny_config("roformer", "multiple-choice"))
    for axes in declared.inputs.values():
        assert axes == {0: "batch", 1: "choice", 2: "sequence"}
    features = list(FeaturesManager.get_supported_features_for_model_type("roformer"))
    assert len(features) == len(set(features))


def test_bug_14_labels_of_an_image_are_not_a_sequence() -> None:
    outputs = tfexport.OnnxConfig(tiny_config("bert"), task="image-classification").outputs
    assert outputs == {"logits": {0: "batch"}}


def test_bug_15_rows_are_padded_and_tokens_vary(exported: Callable[[str], Path], tmp_path: Path) -> None:
    """A file that ignores its mask does not validate: the planted fault is in tests/validation/test_single_file.py."""
    cases = [case["case"] for case in json.loads((exported("tf") / "tfexport.json").read_text())["validation"]["cases"]]
    assert {"3x13, padded right", "2x7, padded left", "1x1"} <= set(cases)
    made = config_factory("bert", "default")(tiny_config("bert")).generate_dummy_inputs(
        support.small_tokenizer(tmp_path)
    )
    assert all(len(set(row.tolist())) > 3 for row in made["input_ids"])


@pytest.mark.parametrize("spelling", ["gpt_neo", "gpt-neo"])
def test_bug_16_model_types_are_understood_in_both_spellings(spelling: str) -> None:
    features = FeaturesManager.get_supported_features_for_model_type(spelling)
    with_past = {"default-with-past", "causal-lm-with-past"}
    assert set(features) == {"default", "causal-lm", "sequence-classification", *with_past}
    config = tiny_config("gpt-neo")
    assert list(features["causal-lm"](config).inputs) == ["input_ids", "attention_mask"]
    assert list(FeaturesManager.get_config(spelling, "default")(config).outputs) == ["last_hidden_state"]


def test_bug_16_each_mistake_has_one_kind_of_error() -> None:
    with pytest.raises(UnsupportedModelTypeError, match="'transformer_xxl' is not supported") as unknown_type:
        FeaturesManager.get_supported_features_for_model_type("transformer_xxl")
    assert isinstance(unknown_type.value, KeyError)
    assert "albert" in str(unknown_type.value)
    with pytest.raises(UnsupportedFeatureError, match="bert does not support the feature 'seq2seq-lm'") as unsupported:
        FeaturesManager.get_config("bert", "seq2seq-lm")
    assert isinstance(unsupported.value, ValueError)
    assert "functools.partial" not in str(unsupported.value)
    for ask in (FeaturesManager.get_model_class_for_feature, lambda f: FeaturesManager.get_config("bert", f)):
        with pytest.raises(UnsupportedFeatureError, match="'poetry' is not a feature"):
            ask("poetry")


def test_bug_17_a_tolerance_of_zero_is_a_tolerance(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = cli("export", "-m", bert("h5"), "--atol", "0", "--json", tmp_path / "out")
    assert json.loads(ran.out)["validation"]["atol"] == 0


def test_bug_17_the_preprocessor_asked_for_is_the_one_used(
    cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(bert("h5"), checkpoint)
    support.small_tokenizer(checkpoint)
    ran = cli("export", "-m", checkpoint, "--preprocessor", "tokenizer", "--json", tmp_path / "out")
    assert (ran.code, json.loads(ran.out)["preprocessor"]) == (0, "tokenizer")
    assert cli("export", "-m", checkpoint, "--preprocessor", "image_processor", tmp_path / "not").code == 2


def test_bug_18_no_declaration_imports_a_framework() -> None:
    """The peer's longformer imports torch, whatever the framework."""
    code = """
import sys
sys.modules["torch"] = sys.modules["tensorflow"] = None
from tfexport.declarations.architectures import declarations
from tfexport.declarations.features import config_factory
from transformers import LongformerConfig
config = config_factory("longformer", "default")(LongformerConfig(attention_window=4))
assert list(config.inputs) == ["input_ids", "attention_mask", "global_attention_mask"], config.inputs
made = config.generate_dummy_inputs(None, batch_size=3, seq_length=5)
assert {value.shape for value in made.values()} == {(3, 5)}
assert made["global_attention_mask"][:, 0].all()
"""
    ran = support.python(code)
    assert ran.code == 0, ran.err


def test_bug_19_the_flag_of_the_old_exporter_changes_nothing(
    cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    """Without the flag, the peer calls another program, drops its options, and reports success for any outcome."""
    arguments = ("export", "-m", bert("h5"), "--opset", "15")
    assert (
        cli(*arguments, tmp_path / "one").code == cli(*arguments, "--export_with_transformers", tmp_path / "two").code
    )
    one, two = (support.assert_complete(tmp_path / name) for name in ("one", "two"))
    assert one["opset"] == two["opset"] == 15
    assert one["graphs"] == two["graphs"]


@pytest.mark.parametrize("kind", ["tf_keras", "keras", "torch", "object"])
def test_bug_20_a_model_of_no_kind_we_know_is_refused(kind: str, tmp_path: Path) -> None:
    model: Any = object()
    if kind == "torch":
        import torch

        model = torch.nn.Linear(4, 2)
    elif kind != "object":
        library = pytest.importorskip(kind)
        model = library.Sequential([library.Input((4,)), library.layers.Dense(2)])
    config = config_factory("bert", "default")(tiny_config("bert"))
    with pytest.raises(UnsupportedError, match="is not a PyTorch or TensorFlow"):
        tfexport.export(None, model, config, 18, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_bug_21_a_target_that_names_a_file_is_refused(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = cli("export", "-m", bert("h5"), tmp_path / "x.onnx")
    assert ran.code == 2
    assert "names a file" in ran.errors[0]
    with pytest.raises(OutputError):
        tfexport.export_checkpoint(bert("h5"), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_bug_21_the_api_writes_the_file_that_it_is_given(models: dict[str, Any], tmp_path: Path) -> None:
    config = config_factory("bert", "default")(models["tf"].config)
    tfexport.export(None, models["tf"], config, 18, tmp_path / "x.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]
    assert (tmp_path / "x.onnx").is_file()


def test_bug_22_codegen_is_declared_with_a_cache() -> None:
    declared: Any = config_factory("codegen", "causal-lm")(tiny_config("codegen"))
    filled: dict[str, Any] = {}
    declared.fill_with_past_key_values_(filled, direction="inputs")
    assert len(filled) == 2 * 2


def test_bug_23_a_tokenizer_that_cannot_be_read_is_said_so(
    cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(bert("h5"), checkpoint)
    support.small_tokenizer(checkpoint)
    for name in ("tokenizer.json", "vocab.txt"):
        (checkpoint / name).write_text("{ not a tokenizer")
    ran = cli("export", "-m", checkpoint, "--preprocessor", "tokenizer", tmp_path / "out")
    assert ran.code == 2
    assert "has no tokenizer that loads" in ran.errors[0]
    ran = cli("export", "-m", checkpoint, "--json", tmp_path / "out")  # shapes come from the configuration
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["preprocessor"].startswith("none that loads")
    with pytest.raises(InputsError, match="has no tokenizer that loads"):
        tfexport.export_checkpoint(checkpoint, tmp_path / "not", preprocessor="tokenizer")
