"""`OnnxConfig` and its extensions, compared with those of ``transformers.onnx``."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import transformers.onnx as seed
from transformers import BertConfig, MBartConfig

import tfexport
from tests.declarations.deviations import past_has_its_own_length
from tests.onnx.declared import BART, GPT2, T5, gpt_like, t5_like
from tfexport.declarations.onnx_config import patched_ops
from tfexport.errors import InputsError, UnsupportedFeatureError

# Ours takes the seed's arguments, and these as well (or under the name that the seed's own base class has).
WIDER = {
    # The parameters are the same; the sizes of images and audio default to the preprocessor's, not to sizes that suit no model.
    ("OnnxConfig", "generate_dummy_inputs"),
    ("OnnxConfigWithPast", "generate_dummy_inputs"),
    ("OnnxSeq2SeqConfigWithPast", "generate_dummy_inputs"),
    ("OnnxSeq2SeqConfigWithPast", "fill_with_past_key_values_"),
}
NAMES = sorted(name for names in seed._import_structure.values() for name in names)
CLASSES = [name for name in NAMES if inspect.isclass(getattr(seed, name))]


def _public(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def _signature(owner: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.default, p.kind) for p in inspect.signature(owner).parameters.values()]


def test_every_public_name_of_the_seed_is_here() -> None:
    assert set(NAMES) <= set(tfexport.__all__)
    assert tfexport.EXTERNAL_DATA_FORMAT_SIZE_LIMIT == seed.EXTERNAL_DATA_FORMAT_SIZE_LIMIT


@pytest.mark.parametrize("name", ["export", "validate_model_outputs", "compute_serialized_parameters_size", *CLASSES])
def test_signatures_are_the_seeds(name: str) -> None:
    if name != "ParameterFormat":  # an enumeration's call is Python's
        assert _signature(getattr(tfexport, name)) == _signature(getattr(seed, name))


@pytest.mark.parametrize(("owner", "name"), [(c, name) for c in CLASSES for name in _public(getattr(seed, c))])
def test_members_are_the_seeds(owner: str, name: str) -> None:
    theirs, ours = getattr(getattr(seed, owner), name), getattr(getattr(tfexport, owner), name)
    assert callable(ours) == callable(theirs)
    assert isinstance(ours, property) == isinstance(theirs, property)
    if callable(theirs) and (owner, name) not in WIDER and not inspect.isclass(theirs):
        assert _signature(ours) == _signature(theirs)


def test_wider_signatures_take_what_the_seed_takes() -> None:
    for owner, name in WIDER:
        theirs = inspect.signature(getattr(getattr(seed, owner), name))
        ours = inspect.signature(getattr(getattr(tfexport, owner), name))
        arguments = {parameter: None for parameter in theirs.parameters if parameter != "tokenizer"}
        ours.bind(**arguments)
        if "num_channels" in ours.parameters and owner == "OnnxConfig":
            assert list(ours.parameters) == list(theirs.parameters)
        ours.bind(*arguments.values(), *(None for parameter in theirs.parameters if parameter == "tokenizer"))


def test_an_abstract_declaration_has_no_inputs() -> None:
    with pytest.raises(NotImplementedError, match="OnnxConfig declares no inputs"):
        _ = tfexport.OnnxConfig(GPT2).inputs


@pytest.mark.parametrize("library", [seed, tfexport])
def test_defaults(library: Any) -> None:
    config = gpt_like(library)(GPT2)
    assert (config.default_batch_size, config.default_sequence_length, config.default_num_choices) == (2, 8, 4)
    assert config.atol_for_validation == 1e-5
    assert config.is_torch_support_available
    assert config.default_onnx_opset == (18 if library is tfexport else 11)  # 11 is beyond current exporters


def test_torch_too_old_for_a_declaration() -> None:
    declared = gpt_like(tfexport)
    declared.torch_onnx_minimum_version = "99.1"
    assert not declared(GPT2).is_torch_support_available


@pytest.mark.parametrize("count", [0, 1, 2**29 - 1, 2**29, 2**29 + 1])
def test_external_data_limit(count: int) -> None:
    assert tfexport.OnnxConfig.use_external_data_format(count) == seed.OnnxConfig.use_external_data_format(count)
    size = tfexport.compute_serialized_parameters_size(count, tfexport.ParameterFormat.Float)
    assert size == seed.compute_serialized_parameters_size(count, seed.ParameterFormat.Float)


def test_an_unknown_task() -> None:
    with pytest.raises(UnsupportedFeatureError, match="'poetry' is not a task") as caught:
        gpt_like(tfexport)(GPT2, task="poetry")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("task", sorted(seed.OnnxConfig._tasks_to_common_outputs))
def test_outputs_of_a_task(task: str) -> None:
    theirs = seed.OnnxConfig._tasks_to_common_outputs[task]
    ours = gpt_like(tfexport)(GPT2, task=task).outputs
    if task == "image-classification":  # the number of labels is not a sequence
        theirs = {"logits": {0: "batch"}}
    if task == "multiple-choice":  # one logit per choice
        theirs = {"logits": {0: "batch", 1: "choice"}}
    assert list(ours.items()) == list(theirs.items())


def test_outputs_are_the_callers_own() -> None:
    config = gpt_like(tfexport)(GPT2)
    config.outputs["last_hidden_state"][0] = "changed"
    assert config.outputs["last_hidden_state"] == {0: "batch", 1: "sequence"}
    assert gpt_like(tfexport)(GPT2).outputs["last_hidden_state"][0] == "batch"


@pytest.mark.parametrize("use_past", [False, True])
def test_values_override(use_past: bool) -> None:
    for library in (seed, tfexport):
        make = gpt_like(library)
        config = make.with_past(GPT2) if use_past else make.from_model_config(GPT2)
        assert config.values_override == {"use_cache": use_past}
        assert make(SimpleNamespace(hidden_size=4), use_past=use_past).values_override is None
    without = tfexport.OnnxConfig(BertConfig())
    assert without.values_override == {"use_cache": False} == seed.OnnxConfig.values_override.fget(without)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("direction", ["inputs", "outputs"])
def test_past_of_a_decoder_is_named_as_the_seeds(direction: str, inverted: bool) -> None:
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    gpt_like(tfexport).with_past(GPT2).fill_with_past_key_values_(ours, direction, inverted)
    gpt_like(seed).with_past(GPT2).fill_with_past_key_values_(theirs, direction, inverted)
    assert list(ours.items()) == list(past_has_its_own_length(theirs).items())
    assert len(ours) == 2 * 3


@pytest.mark.parametrize("task", ["default", "causal-lm"])
def test_inputs_and_outputs_of_a_decoder_are_the_seeds(task: str) -> None:
    for make in ("with_past", "from_model_config"):
        ours, theirs = (getattr(gpt_like(library), make)(GPT2, task=task) for library in (tfexport, seed))
        assert list(ours.inputs.items()) == list(past_has_its_own_length(theirs.inputs).items())
        assert list(ours.outputs.items()) == list(theirs.outputs.items())


@pytest.mark.parametrize("direction", ["inputs", "outputs"])
def test_past_of_an_encoder_decoder_of_equal_sides_is_named_as_the_seeds(direction: str) -> None:
    config = MBartConfig(encoder_layers=3, decoder_layers=3)
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    t5_like(tfexport).with_past(config).fill_with_past_key_values_(ours, direction)
    t5_like(seed).with_past(config).fill_with_past_key_values_(theirs, direction)
    assert list(ours.items()) == list(theirs.items())
    assert len(ours) == 4 * 3


@pytest.mark.parametrize("make", ["with_past", "from_model_config"])
def test_outputs_of_an_encoder_decoder_are_the_seeds(make: str) -> None:
    config = MBartConfig(encoder_layers=3, decoder_layers=3)
    for task in ("default", "seq2seq-lm"):
        ours, theirs = (getattr(t5_like(library), make)(config, task=task) for library in (tfexport, seed))
        assert list(ours.outputs.items()) == list(theirs.outputs.items())
        assert list(ours.inputs.items()) == list(theirs.inputs.items())


@pytest.mark.parametrize(
    ("config", "layers", "heads", "head_size"), [(T5, (2, 5), (3, 3), 12), (BART, (5, 2), (2, 6), 4)]
)
def test_sides_of_unequal_size(config: Any, layers: tuple[int, int], heads: tuple[int, int], head_size: int) -> None:
    declared = t5_like(tfexport).with_past(config)
    assert (declared.num_layers, declared.num_attention_heads, declared._head_size_) == (layers, heads, head_size)
    filled: dict[str, Any] = {}
    declared.fill_with_past_key_values_(filled, direction="inputs")
    parts = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    expected = [f"past_key_values.{layer}.{part}" for layer in range(layers[1]) for part in parts]
    assert list(filled) == expected


@pytest.mark.parametrize("like", [gpt_like, t5_like])
def test_an_unknown_direction(like: Callable[[Any], Any]) -> None:
    with pytest.raises(InputsError, match="sideways") as caught:
        like(tfexport).with_past(T5 if like is t5_like else GPT2).fill_with_past_key_values_({}, "sideways")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["num_layers", "num_attention_heads"])
def test_a_configuration_that_names_no_layers_or_heads(name: str) -> None:
    config = tfexport.OnnxConfigWithPast(SimpleNamespace(hidden_size=4), use_past=True)
    with pytest.raises(AttributeError, match=f"Override {name}"):
        getattr(config, name)


def test_head_size_of_a_plain_decoder() -> None:
    assert gpt_like(tfexport).with_past(GPT2)._head_size_ == 8


@pytest.mark.parametrize("library", [seed, tfexport])
def test_flattening(library: Any) -> None:
    cache = [("k0", "v0"), ("k1", "v1")]
    decoder = gpt_like(library)(GPT2)
    flat = decoder.flatten_output_collection_property("present", cache)
    assert flat == {"present.0.key": "k0", "present.0.value": "v0", "present.1.key": "k1", "present.1.value": "v1"}
    assert decoder.flatten_output_collection_property("hidden_states", cache) == {
        f"hidden_states.{i}": value for i, value in enumerate(("k0", "v0", "k1", "v1"))
    }
    both = t5_like(library)(T5)
    assert both.flatten_output_collection_property("past_key_values", [("k", "v", "ek", "ev")]) == {
        "past_key_values.0.decoder.key": "k",
        "past_key_values.0.decoder.value": "v",
        "past_key_values.0.encoder.key": "ek",
        "past_key_values.0.encoder.value": "ev",
    }


class _Patched:
    @staticmethod
    def static(x: int) -> int:
        return x + 1

    @classmethod
    def of_class(cls, x: int) -> int:
        return x + 2

    def method(self, x: int) -> int:
        return x + 3


class _Heir(_Patched):
    pass


def _ten(*arguments: Any) -> int:
    return 10


@pytest.mark.parametrize(("name", "wrapper"), [("static", staticmethod), ("of_class", classmethod), ("method", None)])
def test_patches_are_applied_and_the_original_is_restored(name: str, wrapper: Any) -> None:
    before = vars(_Patched)[name]
    config = tfexport.OnnxConfig(GPT2, patching_specs=[tfexport.PatchingSpec(_Patched, name, _ten, op_wrapper=wrapper)])
    config.patch_ops()
    assert getattr(_Patched(), name)(1) == 10
    assert type(vars(_Patched)[name]) is (wrapper or type(_ten))
    config.restore_ops()
    assert vars(_Patched)[name] is before  # the wrapper is not applied to it
    config.restore_ops()
    assert vars(_Patched)[name] is before


def test_an_inherited_attribute_is_inherited_again() -> None:
    config = tfexport.OnnxConfig(GPT2, patching_specs=[tfexport.PatchingSpec(_Heir, "method", _ten)])
    with patched_ops(config):
        assert (_Heir().method(1), _Patched().method(1)) == (10, 4)
    assert "method" not in vars(_Heir)
    assert _Heir().method(1) == 4


def test_patches_are_undone_when_the_block_raises() -> None:
    config = tfexport.OnnxConfig(GPT2, patching_specs=[tfexport.PatchingSpec(math, "sqrt", _ten)])
    before = math.sqrt
    with pytest.raises(ZeroDivisionError), patched_ops(config):
        assert math.sqrt(4) == 10
        _ = 1 / 0
    assert math.sqrt is before


def test_patches_are_undone_when_a_later_one_cannot_be_applied() -> None:
    specs = [tfexport.PatchingSpec(math, "sqrt", _ten), tfexport.PatchingSpec(math, "no_such_function", _ten)]
    before = math.sqrt
    with (
        pytest.raises(AttributeError, match="no_such_function"),
        patched_ops(tfexport.OnnxConfig(GPT2, patching_specs=specs)),
    ):
        raise AssertionError("the block must not run")
    assert math.sqrt is before
    assert not hasattr(math, "no_such_function")


def test_two_patches_of_one_attribute_are_undone_in_reverse() -> None:
    specs = [tfexport.PatchingSpec(math, "sqrt", custom) for custom in (_ten, lambda x: 20)]
    before = math.sqrt
    config = tfexport.OnnxConfig(GPT2, patching_specs=specs)
    with patched_ops(config):
        assert math.sqrt(4) == 20
    assert math.sqrt is before


def test_the_callers_spec_is_not_changed_and_an_original_it_names_is_put_back() -> None:
    original = math.sqrt
    spec = tfexport.PatchingSpec(math, "sqrt", _ten, orig_op=math.cos)
    try:
        with patched_ops(tfexport.OnnxConfig(GPT2, patching_specs=[spec])):
            assert math.sqrt(4) == 10
        assert math.sqrt is math.cos
        assert (spec.orig_op, spec.custom_op) == (math.cos, _ten)
    finally:
        math.sqrt = original
