"""Every declaration, compared with that of ``transformers.onnx`` 4.57, from which users migrate."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import pytest
from transformers.onnx.features import FeaturesManager as Seed

from conformance.zoo.tiny import tiny_config
from tests.declarations.deviations import RULES, Ports, Rule
from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.declarations.architectures import declarations
from tfexport.declarations.features import config_factory, declaration_of, supported
from tfexport.declarations.tasks import TASKS, task_of
from tfexport.onnx.features import FeaturesManager

LEFT_OUT = {("flaubert", "causal-lm"): "transformers has no such class in either framework"}

# Declarations that transformers.onnx has and never registered, by model type.
UNREGISTERED = {
    name: f"transformers.models.{name.replace('-', '_')}.configuration_{name.replace('-', '_')}.{cls}OnnxConfig"
    for name, cls in {
        "chinese-clip": "ChineseCLIP",
        "conditional-detr": "ConditionalDetr",
        "dinov2": "Dinov2",
        "efficientnet": "EfficientNet",
        "ernie": "Ernie",
        "mobilevitv2": "MobileViTV2",
        "plbart": "PLBart",
        "pvt": "Pvt",
        "roberta-prelayernorm": "RobertaPreLayerNorm",
        "swiftformer": "SwiftFormer",
        "table-transformer": "TableTransformer",
        "umt5": "UMT5",
        "xlm-roberta-xl": "XLMRobertaXL",
        "xmod": "Xmod",
    }.items()
}


def _knows(model_type: str, feature: str) -> bool:
    if model_type in UNREGISTERED:
        return feature in Seed._TASKS_TO_AUTOMODELS
    return feature in Seed._SUPPORTED_MODEL_TYPE.get(model_type, {})


# The seed cannot name the ports of a vision-encoder-decoder: its class declares those of the two halves.
PAIRS = [
    (name, feature)
    for name, declared in declarations().items()
    for feature in declared.features
    if _knows(name, feature) and name != "vision-encoder-decoder"
]
TYPES = sorted({model_type for model_type, _ in PAIRS})
_FIRST = dict(reversed(PAIRS))  # the first feature of each type
REGISTERED = sorted(set(Seed._SUPPORTED_MODEL_TYPE))


@cache
def _seeds(model_type: str, feature: str) -> Any:
    config = tiny_config(model_type, feature)
    if model_type not in UNREGISTERED:
        return Seed.get_config(model_type, feature)(config)
    module, name = UNREGISTERED[model_type].rsplit(".", 1)
    return getattr(import_module(module), name).from_model_config(config, task=feature)


@cache
def _ours(model_type: str, feature: str) -> Any:
    return config_factory(model_type, feature)(tiny_config(model_type, feature))


def _ports(declaration: Any, side: str) -> Ports:
    return {name: dict(axes) for name, axes in getattr(declaration, side).items()}


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_names_order_and_axes(model_type: str, feature: str, side: str) -> None:
    expected = _ports(_seeds(model_type, feature), side)
    for rule in RULES:
        expected = rule.apply(model_type, feature, side, expected)
    assert list(_ports(_ours(model_type, feature), side).items()) == list(expected.items())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.reason)
def test_deviations_are_ones(rule: Rule) -> None:
    """A rule that changes nothing is stale, and so is a type in it that it does not change."""
    before = RULES[: RULES.index(rule)]
    changed = set()
    for model_type, feature in PAIRS:
        ports = _ports(_seeds(model_type, feature), rule.side)
        for earlier in before:
            ports = earlier.apply(model_type, feature, rule.side, ports)
        if rule.apply(model_type, feature, rule.side, ports) != ports:
            changed.add(model_type)
    assert rule.reason
    assert changed
    assert rule.types is None or set(rule.types) == changed


def test_every_unregistered_class_is_registered() -> None:
    assert set(UNREGISTERED) <= set(declarations())
    assert not set(UNREGISTERED) & set(REGISTERED)


def test_the_halves_of_a_vision_encoder_decoder() -> None:
    config = tiny_config("vision-encoder-decoder", "vision2seq-lm")
    theirs = Seed.get_config("vision-encoder-decoder", "vision2seq-lm")(config)
    ours: Any = config_factory("vision-encoder-decoder", "vision2seq-lm")(config)
    halves = [
        (theirs.get_encoder_config(config.encoder), ours.get_encoder_config(config.encoder)),
        (
            theirs.get_decoder_config(config.encoder, config.decoder, "default"),
            ours.get_decoder_config(config.encoder, config.decoder, "default"),
        ),
    ]
    for seeds, own in halves:
        assert list(own.inputs) == list(seeds.inputs)


@pytest.mark.parametrize("model_type", [name for name in TYPES if hasattr(tiny_config(name), "type_vocab_size")])
@pytest.mark.parametrize("type_vocab_size", [0, 2])
def test_token_types_follow_the_configuration_as_in_the_seed(model_type: str, type_vocab_size: int) -> None:
    config = tiny_config(model_type)
    config.type_vocab_size = type_vocab_size
    theirs = type(_seeds(model_type, "default")).from_model_config(config, task="default").inputs
    assert list(config_factory(model_type, "default")(config).inputs) == list(theirs)


@pytest.mark.parametrize("model_type", REGISTERED)
def test_features(model_type: str) -> None:
    theirs = set(Seed._SUPPORTED_MODEL_TYPE[model_type])
    left_out = {feature for name, feature in LEFT_OUT if name == model_type}
    assert left_out <= theirs
    assert theirs - left_out <= set(declaration_of(model_type).features)
    for feature in left_out:
        assert not any(TASKS[feature].model_classes(framework, model_type) for framework in FRAMEWORKS)


@pytest.mark.parametrize("model_type", TYPES)
def test_tolerance_is_no_wider_than_the_seeds(model_type: str) -> None:
    feature = _FIRST[model_type]
    theirs = _seeds(model_type, feature).atol_for_validation
    assert _ours(model_type, feature).atol_for_validation <= theirs


@pytest.mark.parametrize("model_type", TYPES)
def test_opset_is_enough_for_the_seed(model_type: str) -> None:
    feature = _FIRST[model_type]
    assert _ours(model_type, feature).default_onnx_opset >= _seeds(model_type, feature).default_onnx_opset


@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_overrides_are_the_seeds_or_more(model_type: str, feature: str) -> None:
    theirs = dict(_seeds(model_type, feature).values_override or {})
    if model_type == "imagegpt":
        del theirs["use_cache"]  # without a cache the model of transformers 4.57.6 fails
    ours = dict(_ours(model_type, feature).values_override or {})
    assert theirs.items() <= ours.items()


@pytest.mark.parametrize("feature", [task for task in TASKS if task in Seed._TASKS_TO_AUTOMODELS])
def test_auto_classes(feature: str) -> None:
    assert FeaturesManager.get_model_class_for_feature(feature) is Seed.get_model_class_for_feature(feature)
    if feature in Seed._TASKS_TO_TF_AUTOMODELS:
        theirs = Seed.get_model_class_for_feature(feature, "tf")
        assert FeaturesManager.get_model_class_for_feature(feature, "tf") is theirs


def test_every_task_of_the_seed_is_known() -> None:
    assert set(Seed._TASKS_TO_AUTOMODELS) <= set(TASKS)
    assert set(Seed.AVAILABLE_FEATURES) <= set(FeaturesManager.AVAILABLE_FEATURES)


@pytest.mark.parametrize("feature", Seed.AVAILABLE_FEATURES)
def test_task_of_a_feature(feature: str) -> None:
    assert FeaturesManager.feature_to_task(feature) == Seed.feature_to_task(feature)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_classes_are_those_that_the_auto_classes_load(framework: Framework) -> None:
    """Compare with transformers' mapping objects, which hold the classes and not their names."""
    import transformers
    from transformers import CONFIG_MAPPING, PreTrainedModel, TFPreTrainedModel

    ModelClasses = {"pt": PreTrainedModel, "tf": TFPreTrainedModel}  # noqa: N806
    types = {name.replace("_", "-"): name for name in CONFIG_MAPPING}
    checked = 0
    for entry in supported():
        name = entry.classes.get(framework)
        own = declarations()[entry.model_type].classes.get(entry.feature, {})
        if framework in own:  # not in transformers' tables
            assert all(issubclass(getattr(transformers, cls), ModelClasses[framework]) for cls in own[framework])
            continue
        if name is None and task_of(entry.feature).auto_class(framework) is None:
            continue
        auto: Any = FeaturesManager.get_model_class_for_feature(entry.feature, framework)
        config_class = CONFIG_MAPPING[types[entry.model_type]]
        if name is None:
            assert config_class not in auto._model_mapping
            continue
        found = auto._model_mapping[config_class]
        found = found[0] if isinstance(found, (list, tuple)) else found
        assert found.__name__ == name
        checked += 1
    assert checked > 60


def test_every_type_of_the_seed_is_declared() -> None:
    assert set(REGISTERED) <= set(declarations())
