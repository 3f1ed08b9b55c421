"""What can be exported: features by model type, and `FeaturesManager` with the interface of ``transformers.onnx``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from tfexport import framework as frameworks
from tfexport.architectures import Declaration, declarations
from tfexport.backends import get_backend, installed_frameworks
from tfexport.checkpoint import open_checkpoint
from tfexport.errors import UnsupportedFeatureError, UnsupportedModelTypeError
from tfexport.onnx_config import OnnxConfig
from tfexport.onnx_config_with_past import OnnxConfigWithPast
from tfexport.tasks import (
    AVAILABLE_FEATURES,
    FRAMEWORK_NAMES,
    FRAMEWORKS,
    WITH_PAST,
    Framework,
    check_framework,
    normalise,
    task_of,
)

ConfigFactory = Callable[[Any], OnnxConfig]


@dataclass(frozen=True)
class Support:
    """What is supported for one feature of one model type.

    Attributes:
        model_type: with hyphens.
        feature: the feature.
        classes: the model class that loads it, by framework; a framework without a class is absent.
    """

    model_type: str
    feature: str
    classes: Mapping[Framework, str]


def declaration_of(model_type: str, name: str | None = None) -> Declaration:
    """The declaration of a model type, however it is spelt (``gpt_neo`` and ``gpt-neo``).

    Raises:
        UnsupportedModelTypeError: none is registered.
    """
    known = declarations()
    found = known.get(normalise(model_type))
    if found is None:
        of_model = f" ({name})" if name else ""
        raise UnsupportedModelTypeError(
            f"the model type {model_type!r}{of_model} is not supported. Supported types: {', '.join(known)}. "
            "CONTRIBUTING.md shows how to add one, or pass an OnnxConfig of your own to tfexport.export."
        )
    return found


def config_factory(model_type: str, feature: str, name: str | None = None) -> ConfigFactory:
    """A function from a model's configuration to its declaration.

    Raises:
        UnsupportedModelTypeError: no declaration for the model type.
        UnsupportedFeatureError: no such feature, or not for this model type.
    """
    task = task_of(feature)
    declared = declaration_of(model_type, name)
    if feature not in declared.features:
        raise UnsupportedFeatureError(
            f"{declared.model_type} does not support the feature {feature!r}. Supported: {', '.join(declared.features)}."
        )
    if feature.endswith(WITH_PAST):
        with_past = cast(type[OnnxConfigWithPast], declared.config_class).with_past
        return partial(with_past, task=task.name)
    return partial(declared.config_class.from_model_config, task=task.name)


def model_class(model_type: str, feature: str, framework: Framework) -> str:
    """Name of the class that loads a feature of a model type in a framework.

    Raises:
        UnsupportedFeatureError: the framework has no such class.
    """
    task = task_of(feature)
    found = task.model_class(framework, model_type)
    if found is None:
        others = [FRAMEWORK_NAMES[f] for f in FRAMEWORKS if f != framework and task.model_class(f, model_type)]
        also = f" {others[0]} has one: pass --framework {'pt' if framework == 'tf' else 'tf'}." if others else ""
        raise UnsupportedFeatureError(
            f"{FRAMEWORK_NAMES[framework]} has no class for {feature!r} of {normalise(model_type)} in transformers.{also}"
        )
    return found


def supported() -> list[Support]:
    """Every (model type, feature) pair, with its class in each framework."""
    return [
        Support(
            declared.model_type,
            feature,
            {f: name for f in FRAMEWORKS if (name := task_of(feature).model_class(f, declared.model_type))},
        )
        for declared in declarations().values()
        for feature in declared.features
    ]


class FeaturesManager:
    """The interface of ``transformers.onnx.FeaturesManager``."""

    AVAILABLE_FEATURES = list(AVAILABLE_FEATURES)

    @staticmethod
    def get_supported_features_for_model_type(
        model_type: str, model_name: str | None = None
    ) -> dict[str, ConfigFactory]:
        """Each supported feature of a model type, with the function from configuration to `OnnxConfig`.

        Raises:
            UnsupportedModelTypeError: no declaration for the model type.
        """
        declared = declaration_of(model_type, model_name)
        return {feature: config_factory(model_type, feature, model_name) for feature in declared.features}

    @staticmethod
    def feature_to_task(feature: str) -> str:
        """The task of a feature: the feature without ``-with-past``."""
        return feature.removesuffix(WITH_PAST)

    @staticmethod
    def get_model_class_for_feature(feature: str, framework: str = "pt") -> type:
        """The auto class that loads a feature in a framework.

        Raises:
            UnknownFrameworkError: not "pt" or "tf".
            UnsupportedFeatureError: no such feature, or no auto class for it in this framework.
        """
        chosen = check_framework(framework)
        name = task_of(feature).auto_class(chosen)
        if name is None:
            raise UnsupportedFeatureError(
                f"{FRAMEWORK_NAMES[chosen]} has no auto class for {feature!r} in transformers."
            )
        import transformers

        return cast(type, getattr(transformers, name))

    @staticmethod
    def determine_framework(model: str | Path, framework: str | None = None) -> str:
        """The framework that exports a checkpoint: ``"pt"`` or ``"tf"``.

        What the user says; else what the local checkpoint is; else what is installed, PyTorch first.

        Raises:
            UnknownFrameworkError: `framework` is not one.
            CheckpointNotFoundError: a path that does not exist, or a local checkpoint without weights.
            FrameworkNotInstalledError: the framework is not installed.
        """
        checkpoint = open_checkpoint(model)
        return frameworks.decide(framework, checkpoint.weights, installed_frameworks(), checkpoint.source).framework

    @staticmethod
    def get_model_from_feature(
        feature: str, model: str | Path, framework: str | None = None, cache_dir: str | None = None
    ) -> Any:
        """Load a checkpoint for a feature; weights of the other framework are converted.

        Returns:
            A ``PreTrainedModel`` or a ``TFPreTrainedModel``.
        """
        checkpoint = open_checkpoint(model, cache_dir=cache_dir)
        choice = frameworks.decide(framework, checkpoint.weights, installed_frameworks(), checkpoint.source)
        name = model_class(checkpoint.config.model_type, feature, choice.framework)
        return get_backend(choice.framework).load(checkpoint, name, choice).model

    @staticmethod
    def check_supported_model_or_raise(model: Any, feature: str = "default") -> tuple[str, ConfigFactory]:
        """The model type (with hyphens) of a loaded model, and the function from configuration to `OnnxConfig`.

        Raises:
            UnsupportedModelTypeError: no declaration for the model type.
            UnsupportedFeatureError: not for this model type.
        """
        model_type = normalise(model.config.model_type)
        return model_type, config_factory(model_type, feature, getattr(model, "name", None))

    @staticmethod
    def get_config(model_type: str, feature: str) -> ConfigFactory:
        """The function from configuration to `OnnxConfig` of a feature of a model type."""
        return config_factory(model_type, feature)
