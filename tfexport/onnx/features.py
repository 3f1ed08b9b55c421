"""`FeaturesManager`, with the interface of ``transformers.onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tfexport.backends import get_backend, installed_frameworks
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, check_framework
from tfexport.checkpoints.transformers_api import class_named
from tfexport.declarations.features import ConfigFactory, config_factory, declaration_of, model_class
from tfexport.declarations.tasks import AVAILABLE_FEATURES, WITH_PAST, canonical, normalise, task_of
from tfexport.errors import UnsupportedFeatureError


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
        return canonical(feature).removesuffix(WITH_PAST)

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
        return cast(type, class_named(name))

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
        return checkpoint.choose_framework(framework, installed_frameworks()).framework

    @staticmethod
    def get_model_from_feature(
        feature: str, model: str | Path, framework: str | None = None, cache_dir: str | None = None
    ) -> Any:
        """Load a checkpoint for a feature; weights of the other framework are converted.

        Returns:
            A ``PreTrainedModel`` or a ``TFPreTrainedModel``.
        """
        checkpoint = open_checkpoint(model, cache_dir=cache_dir)
        choice = checkpoint.choose_framework(framework, installed_frameworks())
        architectures = getattr(checkpoint.config, "architectures", None) or ()
        name = model_class(checkpoint.config.model_type, feature, choice.framework, architectures)
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
