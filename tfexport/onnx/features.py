"""`FeaturesManager`, with the interface of ``transformers.onnx.features``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tfexport.backends import get_backend, installed_frameworks
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, check_framework
from tfexport.checkpoints.transformers_api import class_named
from tfexport.declarations.features import ConfigFactory, architectures_of, config_factory, declaration_of, model_class
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.tasks import AVAILABLE_FEATURES, WITH_PAST, canonical, normalise, task_of
from tfexport.errors import UnsupportedFeatureError

__all__ = ["FeaturesManager", "OnnxConfig"]


class FeaturesManager:
    """Features of each model type, with the interface of ``transformers.onnx.FeaturesManager``."""

    AVAILABLE_FEATURES = list(AVAILABLE_FEATURES)

    @staticmethod
    def get_supported_features_for_model_type(
        model_type: str, model_name: str | None = None
    ) -> dict[str, ConfigFactory]:
        """Return the functions from configuration to `OnnxConfig`, by the features of a model type.

        Args:
            model_type: the model type, with hyphens or underscores.
            model_name: name of the model, for messages.

        Raises:
            UnsupportedModelTypeError: the model type has no declaration.
        """
        declared = declaration_of(model_type, model_name)
        return {feature: config_factory(model_type, feature, model_name) for feature in declared.features}

    @staticmethod
    def feature_to_task(feature: str) -> str:
        """Return the task of a feature: the feature without ``-with-past``."""
        return canonical(feature).removesuffix(WITH_PAST)

    @staticmethod
    def get_model_class_for_feature(feature: str, framework: str = "pt") -> type:
        """Return the auto class of transformers that loads a feature in a framework.

        Raises:
            UnknownFrameworkError: the framework is neither ``"pt"`` nor ``"tf"``.
            UnsupportedFeatureError: the feature does not exist, or has no auto class in this framework.
        """
        chosen = check_framework(framework)
        name = task_of(feature).auto_class(chosen)
        if name is None:
            raise UnsupportedFeatureError(
                f"{FRAMEWORK_NAMES[chosen]} has no auto class for {feature!r} in transformers."
            )
        return cast(type, class_named(name))

    @staticmethod
    def determine_framework(model: str | Path, framework: str | None = None) -> str:
        """Return the framework that exports a checkpoint: ``"pt"`` or ``"tf"``.

        It is `framework`, else the framework of the local checkpoint, else an installed one, PyTorch first.

        Raises:
            UnknownFrameworkError: `framework` is neither of the two.
            CheckpointNotFoundError: the path does not exist, or the local checkpoint has no weights.
            FrameworkNotInstalledError: the framework is not installed.
        """
        checkpoint = open_checkpoint(model)
        return checkpoint.choose_framework(framework, installed_frameworks()).framework

    @staticmethod
    def get_model_from_feature(
        feature: str, model: str | Path, framework: str | None = None, cache_dir: str | None = None
    ) -> Any:
        """Load a checkpoint for a feature. Weights of the other framework are converted.

        Args:
            feature: the feature.
            model: a checkpoint folder or a hub id.
            framework: ``"pt"`` or ``"tf"``; None as in `determine_framework`.
            cache_dir: folder in which transformers keeps downloads.

        Returns:
            A ``PreTrainedModel`` or a ``TFPreTrainedModel``.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            FrameworkError: the framework cannot be used.
            UnsupportedError: the model type or the feature has no declaration.
        """
        checkpoint = open_checkpoint(model, cache_dir=cache_dir)
        choice = checkpoint.choose_framework(framework, installed_frameworks())
        architectures = architectures_of(checkpoint.config)
        name = model_class(checkpoint.config.model_type, feature, choice.framework, architectures)
        return get_backend(choice.framework).load(checkpoint, name, choice).model

    @staticmethod
    def check_supported_model_or_raise(model: Any, feature: str = "default") -> tuple[str, ConfigFactory]:
        """Return the model type of a loaded model, with hyphens, and the function from configuration to `OnnxConfig`.

        Raises:
            UnsupportedModelTypeError: the model type has no declaration.
            UnsupportedFeatureError: the model type does not have the feature.
        """
        model_type = normalise(model.config.model_type)
        return model_type, config_factory(model_type, feature, getattr(model, "name", None))

    @staticmethod
    def get_config(model_type: str, feature: str) -> ConfigFactory:
        """Return the function from configuration to `OnnxConfig` for a feature of a model type.

        Raises:
            UnsupportedModelTypeError: the model type has no declaration.
            UnsupportedFeatureError: the model type does not have the feature.
        """
        return config_factory(model_type, feature)
