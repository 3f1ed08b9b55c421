"""The registry of declarations, and the helpers that declarations are written with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tfexport.onnx_config import OnnxConfig
from tfexport.tasks import normalise, task_of

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
    """What is registered for a model type.

    Attributes:
        model_type: with hyphens.
        features: the features that can be exported, in the order declared.
        config_class: the `OnnxConfig` that declares its inputs.
    """

    model_type: str
    features: tuple[str, ...]
    config_class: type[OnnxConfig]


_DECLARATIONS: dict[str, Declaration] = {}


def register(model_type: str, *features: str) -> Callable[[ConfigClass], ConfigClass]:
    """Class decorator: declare a model type and its features.

    Raises:
        ValueError: the type is declared already, or a feature twice.
        UnsupportedFeatureError: no such feature.
    """
    name = normalise(model_type)

    def add(config_class: ConfigClass) -> ConfigClass:
        if name in _DECLARATIONS:
            raise ValueError(f"{name} is declared twice")
        if len(set(features)) != len(features):
            raise ValueError(f"{name} declares a feature twice")
        for feature in features:
            task_of(feature)
        _DECLARATIONS[name] = Declaration(name, features, config_class)
        return config_class

    return add


def declarations() -> Mapping[str, Declaration]:
    """Every declaration by model type, alphabetically."""
    return dict(sorted(_DECLARATIONS.items()))


class text_inputs:
    """Inputs of a text model, as a class attribute.

    Every name has the axes ``(batch, sequence)``, and ``(batch, choice, sequence)`` for multiple choice.

    Args:
        names: the inputs, in order.
        where: the attribute of a configuration that must be positive for an input to be there, by the input's name.
    """

    def __init__(self, *names: str, where: Mapping[str, str] | None = None) -> None:
        self.names = names
        self.where = dict(where or {})

    def __get__(self, config: OnnxConfig | None, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        if config is None:
            return OrderedDict((name, {0: "batch", 1: "sequence"}) for name in self.names)
        choices = config.task == "multiple-choice"
        axes = {0: "batch", 1: "choice", 2: "sequence"} if choices else {0: "batch", 1: "sequence"}
        return OrderedDict((name, dict(axes)) for name in self.names if self._is_there(name, config))

    def _is_there(self, name: str, config: OnnxConfig) -> bool:
        return name not in self.where or getattr(config._config, self.where[name], 0) > 0
