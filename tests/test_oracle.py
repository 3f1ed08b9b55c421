"""Every declaration beside that of ``transformers.onnx`` 4.57, which users migrate from."""

from __future__ import annotations

from typing import Any

import pytest
from transformers.onnx.features import FeaturesManager as Seed

from tests.tiny import tiny_config
from tfexport.architectures import declarations
from tfexport.errors import UnsupportedFeatureError
from tfexport.features import FeaturesManager, config_factory, declaration_of, model_class, supported
from tfexport.tasks import FRAMEWORKS, TASKS, WITH_PAST

PAIRS = [(name, feature) for name, declared in declarations().items() for feature in declared.features]

CHOICE = {0: "batch", 1: "choice", 2: "sequence"}
ROFORMER_CHOICES = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), CHOICE)

# What is not as the seed has it, each with its reason.
DEVIATIONS: dict[tuple[str, str, str], tuple[Any, str]] = {
    ("roformer", "multiple-choice", "inputs"): (
        ROFORMER_CHOICES,
        "the seed overwrites the choices' axes by those of a single sentence (tests/test_peer_bugs.py, bug 13)",
    ),
}
LEFT_OUT = {("flaubert", "causal-lm"): "transformers has no such class in either framework"}
WIDER_TOLERANCE: dict[str, float] = {}


def _seeds(model_type: str, feature: str) -> Any:
    return Seed.get_config(model_type, feature)(tiny_config(model_type, feature))


def _ours(model_type: str, feature: str) -> Any:
    return config_factory(model_type, feature)(tiny_config(model_type, feature))


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_names_order_and_axes(model_type: str, feature: str, side: str) -> None:
    theirs = getattr(_seeds(model_type, feature), side)
    ours = getattr(_ours(model_type, feature), side)
    expected, _ = DEVIATIONS.get((model_type, feature, side), (theirs, ""))
    assert [(name, dict(axes)) for name, axes in ours.items()] == [(name, dict(a)) for name, a in expected.items()]


@pytest.mark.parametrize(("model_type", "feature", "side"), DEVIATIONS)
def test_deviations_are_ones(model_type: str, feature: str, side: str) -> None:
    """An entry that the seed agrees with is stale."""
    expected, reason = DEVIATIONS[model_type, feature, side]
    assert reason
    assert dict(getattr(_seeds(model_type, feature), side)) != dict(expected)


@pytest.mark.parametrize("model_type", declarations())
@pytest.mark.parametrize("type_vocab_size", [0, 2])
def test_token_types_follow_the_configuration_as_in_the_seed(model_type: str, type_vocab_size: int) -> None:
    config = tiny_config(model_type)
    config.type_vocab_size = type_vocab_size
    theirs = Seed.get_config(model_type, "default")(config).inputs
    assert list(config_factory(model_type, "default")(config).inputs) == list(theirs)


@pytest.mark.parametrize("model_type", declarations())
def test_features(model_type: str) -> None:
    theirs = {f for f in Seed._SUPPORTED_MODEL_TYPE[model_type] if not f.endswith(WITH_PAST)}
    left_out = {feature for name, feature in LEFT_OUT if name == model_type}
    assert left_out <= theirs
    assert {f for f in declaration_of(model_type).features if not f.endswith(WITH_PAST)} == theirs - left_out
    for feature in left_out:
        for framework in FRAMEWORKS:
            with pytest.raises(UnsupportedFeatureError, match="has no class"):
                model_class(model_type, feature, framework)


@pytest.mark.parametrize("model_type", declarations())
def test_tolerance_is_no_wider_than_the_seeds(model_type: str) -> None:
    theirs = _seeds(model_type, "default").atol_for_validation
    assert _ours(model_type, "default").atol_for_validation <= WIDER_TOLERANCE.get(model_type, theirs)


@pytest.mark.parametrize("model_type", declarations())
def test_opset_is_enough_for_the_seed(model_type: str) -> None:
    assert _ours(model_type, "default").default_onnx_opset >= _seeds(model_type, "default").default_onnx_opset


@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_overrides_are_the_seeds_or_more(model_type: str, feature: str) -> None:
    theirs = dict(_seeds(model_type, feature).values_override or {})
    ours = dict(_ours(model_type, feature).values_override or {})
    assert theirs.items() <= ours.items()


@pytest.mark.parametrize("feature", [task for task in TASKS if task in Seed._TASKS_TO_AUTOMODELS])
def test_auto_classes(feature: str) -> None:
    assert FeaturesManager.get_model_class_for_feature(feature) is Seed.get_model_class_for_feature(feature)
    if feature in Seed._TASKS_TO_TF_AUTOMODELS:
        theirs = Seed.get_model_class_for_feature(feature, "tf")
        assert FeaturesManager.get_model_class_for_feature(feature, "tf") is theirs


def test_every_task_of_the_seed_is_known() -> None:
    assert set(Seed._TASKS_TO_AUTOMODELS) == set(TASKS)
    assert set(Seed.AVAILABLE_FEATURES) - set(FeaturesManager.AVAILABLE_FEATURES) == set()
    # A task of the seed's table that none of its model types has.
    assert set(FeaturesManager.AVAILABLE_FEATURES) - set(Seed.AVAILABLE_FEATURES) == {"masked-im"}


@pytest.mark.parametrize("feature", Seed.AVAILABLE_FEATURES)
def test_task_of_a_feature(feature: str) -> None:
    assert FeaturesManager.feature_to_task(feature) == Seed.feature_to_task(feature)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_classes_are_those_that_the_auto_classes_load(framework: str) -> None:
    """By transformers' own mapping objects, which hold the classes, not their names."""
    from transformers import CONFIG_MAPPING

    types = {name.replace("_", "-"): name for name in CONFIG_MAPPING}
    checked = 0
    for entry in supported():
        name = entry.classes.get(framework)
        auto = FeaturesManager.get_model_class_for_feature(entry.feature, framework)
        config_class = CONFIG_MAPPING[types[entry.model_type]]
        if name is None:
            assert config_class not in auto._model_mapping
            continue
        found = auto._model_mapping[config_class]
        found = found[0] if isinstance(found, (list, tuple)) else found
        assert found.__name__ == name
        checked += 1
    assert checked > 60


def test_every_text_type_of_the_seed_is_declared() -> None:
    """The seed's types that take token ids and nothing else, and are no encoder-decoders."""
    text = {"input_ids", "attention_mask", "token_type_ids", "global_attention_mask"}
    images = {"imagegpt"}  # its input_ids are clusters of colours
    expected = set()
    for model_type, features in Seed._SUPPORTED_MODEL_TYPE.items():
        factory = features.get("default")
        if factory is None or model_type == "vision-encoder-decoder":
            continue
        declared = factory.func.__self__
        config = declared.__new__(declared)
        config.task, config._config, config.use_past = "default", tiny_config("bert"), False
        if set(config.inputs) <= text:
            expected.add(model_type)
    assert expected - images <= set(declarations())
