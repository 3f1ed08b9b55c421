"""Registry of the declarations, by model type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tfexport.checkpoints.framework import Framework
from tfexport.declarations.model_facts import ModelFacts, record_facts
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.tasks import normalise, task_of

ConfigClass = TypeVar("ConfigClass", bound=type[OnnxConfig])

TEXT_ENCODER_FEATURES = (
    "default",
    "masked-lm",
    "sequence-classification",
    "multiple-choice",
    "token-classification",
    "question-answering",
)


@dataclass(frozen=True)
class Declaration:
    """Declaration of a model type.

    Attributes:
        model_type: Model type, with hyphens.
        features: Features that can be exported, in the declared order.
        config_class: Class of the declaration.
        classes: Model classes that transformers' tables lack, by feature and framework, the usual one first.
    """

    model_type: str
    features: tuple[str, ...]
    config_class: type[OnnxConfig]
    classes: Mapping[str, Mapping[Framework, tuple[str, ...]]] = field(default_factory=dict)

    def model_classes(self, feature: str, framework: Framework) -> tuple[str, ...]:
        """Return the names of the classes that load a feature in a framework, the usual one first; empty without one.

        Raises:
            UnsupportedFeatureError: the feature does not exist.
        """
        own = self.classes.get(feature, {}).get(framework)
        return task_of(feature).model_classes(framework, self.model_type) if own is None else own


_DECLARATIONS: dict[str, Declaration] = {}


def register(
    model_type: str,
    *features: str,
    classes: Mapping[str, Mapping[Framework, tuple[str, ...]]] | None = None,
    facts: ModelFacts | None = None,
) -> Callable[[ConfigClass], ConfigClass]:
    """Return a class decorator that registers the declaration of a model type.

    Args:
        model_type: the model type, as in ``config.json``.
        features: the features that can be exported.
        classes: model classes that transformers' tables lack, by feature and framework, the usual one first. An empty tuple
            excludes the class of a framework.
        facts: facts about the model type that its configuration does not state; None for the usual ones.

    Raises:
        ValueError: the model type is declared already, or a feature is declared twice.
        UnsupportedFeatureError: a feature does not exist.
    """
    name = normalise(model_type)

    def add(config_class: ConfigClass) -> ConfigClass:
        if name in _DECLARATIONS:
            raise ValueError(f"{name} is declared twice")
        if len(set(features)) != len(features):
            raise ValueError(f"{name} declares a feature twice")
        for feature in features:
            task_of(feature)
        if facts is not None:
            record_facts(name, facts)
        _DECLARATIONS[name] = Declaration(name, features, config_class, dict(classes or {}))
        return config_class

    return add


def declarations() -> Mapping[str, Declaration]:
    """Return every declaration by its model type, in alphabetical order."""
    return dict(sorted(_DECLARATIONS.items()))
