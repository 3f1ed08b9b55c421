"""The features of each model type that can be exported, and the class that loads each in a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from tfexport.checkpoints.framework import FRAMEWORK_NAMES, FRAMEWORKS, Framework
from tfexport.declarations.architectures import Declaration, declarations
from tfexport.declarations.architectures.unsupported import UNSUPPORTED
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.tasks import GENERATING, WITH_PAST, canonical, normalise, task_of
from tfexport.declarations.with_past import OnnxConfigWithPast
from tfexport.errors import UnsupportedFeatureError, UnsupportedModelTypeError

AUTO = "auto"
"""Name in place of a feature, for the one that the checkpoint's class computes."""

ConfigFactory = Callable[[Any], OnnxConfig]


@dataclass(frozen=True)
class Support:
    """One feature of one model type.

    Attributes:
        model_type: Model type, with hyphens.
        feature: Name of the feature.
        classes: Name of the model class that loads it, by framework. A framework without a class is absent.
    """

    model_type: str
    feature: str
    classes: Mapping[Framework, str]


def declaration_of(model_type: str, name: str | None = None) -> Declaration:
    """Return the declaration of a model type, in either spelling (``gpt_neo`` and ``gpt-neo``).

    Raises:
        UnsupportedModelTypeError: No declaration is registered.
    """
    known = declarations()
    found = known.get(normalise(model_type))
    if found is None:
        of_model = f" ({name})" if name else ""
        raise UnsupportedModelTypeError(
            f"the model type {model_type!r}{of_model} is not supported. {_cause(normalise(model_type))}"
            f"Supported types: {', '.join(known)}. "
            "CONTRIBUTING.md shows how to add one, or pass an OnnxConfig of your own to tfexport.export."
        )
    return found


def config_factory(model_type: str, feature: str, name: str | None = None) -> ConfigFactory:
    """Return a function from a model's configuration to its declaration.

    Raises:
        UnsupportedModelTypeError: The model type is not declared.
        UnsupportedFeatureError: The feature does not exist, or is not declared for this model type.
    """
    declared = declaration_of(model_type, name)
    feature = declared_feature(declared, feature)
    task = task_of(feature)
    if feature.endswith(WITH_PAST):
        with_past = cast(type[OnnxConfigWithPast], declared.config_class).with_past
        return partial(with_past, task=task.name)
    return partial(declared.config_class.from_model_config, task=task.name)


def declared_feature(declared: Declaration, feature: str) -> str:
    """Return this project's name of a feature of a model type.

    Raises:
        UnsupportedFeatureError: The feature does not exist, or is not declared for this model type.
    """
    task_of(feature)
    found = canonical(feature, declared.features)
    if found not in declared.features:
        raise UnsupportedFeatureError(
            f"{declared.model_type} does not support the feature {feature!r}. {_cause(declared.model_type, found)}"
            f"Supported: {', '.join(declared.features)}."
        )
    return found


def choose_feature(feature: str, config: Any, name: str | None = None) -> str:
    """Return the feature to export, by this project's name: the requested one, or that of the checkpoint's class.

    Args:
        feature: A feature, a synonym of one, or ``"auto"``: the feature of the class which ``architectures`` in the
            configuration names.
        config: The model's configuration.
        name: Name of the checkpoint, for messages.

    Raises:
        UnsupportedModelTypeError: The model type is not declared.
        UnsupportedFeatureError: The feature does not exist, is not declared for this model type, or cannot be chosen.
    """
    declared = declaration_of(config.model_type, name)
    if feature != AUTO:
        return declared_feature(declared, feature)
    named = architectures_of(config)
    for candidate in declared.features:
        classes = {own for f in FRAMEWORKS for own in declared.model_classes(candidate, f)}
        if not {_without_tf(own) for own in classes}.isdisjoint(map(_without_tf, named)):
            cached = f"{candidate}{WITH_PAST}"
            return cached if candidate in GENERATING and cached in declared.features else candidate
    found = f"its architectures are {', '.join(named)}" if named else "its config.json does not name architectures"
    raise UnsupportedFeatureError(
        f"the feature of {name or declared.model_type} cannot be chosen: {found}. "
        f"Name one with --feature (feature=...): {', '.join(declared.features)}."
    )


def architectures_of(config: Any) -> tuple[str, ...]:
    """Return the classes that a configuration names; empty where its ``architectures`` is not a list of names."""
    named = getattr(config, "architectures", None)
    return tuple(name for name in named if isinstance(name, str)) if isinstance(named, (list, tuple)) else ()


def model_class(model_type: str, feature: str, framework: Framework, architectures: Sequence[str] = ()) -> str:
    """Return the name of the class that loads a feature of a model type in a framework.

    Args:
        model_type: Model type in either spelling.
        feature: A feature, or a synonym of one.
        framework: Framework of the class.
        architectures: Classes that the checkpoint names. Where a feature has several classes, one of these is chosen.

    Raises:
        UnsupportedModelTypeError: The model type is not declared.
        UnsupportedFeatureError: The framework lacks such a class.
    """
    declared = declaration_of(model_type)
    feature = declared_feature(declared, feature)
    found = declared.model_classes(feature, framework)
    if not found:
        others = [f for f in FRAMEWORKS if f != framework and declared.model_classes(feature, f)]
        also = f"{FRAMEWORK_NAMES[others[0]]} has one: pass --framework {others[0]}." if others else ""
        raise UnsupportedFeatureError(
            f"{FRAMEWORK_NAMES[framework]} has no class for {feature!r} of {declared.model_type} in transformers that can "
            f"be exported. {_cause(declared.model_type, feature, framework)}{also}".rstrip()
        )
    named = set(map(_without_tf, architectures))
    return next((name for name in found if _without_tf(name) in named), found[0])


def supported() -> list[Support]:
    """Return every (model type, feature) pair, with its class in each framework."""
    return [
        Support(
            declared.model_type,
            feature,
            {f: names[0] for f in FRAMEWORKS if (names := declared.model_classes(feature, f))},
        )
        for declared in declarations().values()
        for feature in declared.features
    ]


def _cause(model_type: str, feature: str | None = None, framework: Framework | None = None) -> str:
    """Return the reason for which a feature is not exported, as a sentence with a blank behind it; empty without a known one."""
    for entry in UNSUPPORTED:
        if (entry.model_type, entry.feature) == (model_type, feature) and entry.framework in (None, framework):
            return f"{entry.cause} "
    return ""


def _without_tf(class_name: str) -> str:
    return class_name.removeprefix("TF")
