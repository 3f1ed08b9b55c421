"""The plan of an export: every decision that can be made before the model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfexport.backends import installed_frameworks
from tfexport.checkpoints import sources
from tfexport.checkpoints.checkpoint import Checkpoint, open_checkpoint
from tfexport.checkpoints.configuration import values_of_configuration
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.declarations.features import (
    AUTO,
    architectures_of,
    choose_feature,
    config_factory,
    declaration_of,
    model_class,
)
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import parts_of
from tfexport.declarations.tasks import GENERATING, WITH_PAST
from tfexport.errors import InputsError, UnsupportedFeatureError
from tfexport.graph import check_opset
from tfexport.pipeline.options import ExportOptions, Selection
from tfexport.pipeline.transforms import find_transforms
from tfexport.pipeline.transforms.base import Transform
from tfexport.validation import DEFAULT_RTOL, Tolerance

_DEFAULT = "default"


@dataclass(frozen=True)
class Declared:
    """A model's declaration, and everything that follows from it and the options.

    Attributes:
        config: Declaration of the model.
        opset: Version of the default operator set to write.
        tolerance: Tolerance of the validation.
        parts: Declaration of each file, by its name without ``.onnx``: the model's own, or that of a part of the model.
        caveats: Sentences on what the files do not promise.
    """

    config: OnnxConfig
    opset: int
    tolerance: Tolerance
    parts: Mapping[str, OnnxConfig]
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The decisions that are made for any model before it is loaded.

    Attributes:
        checkpoint: The checkpoint, not loaded.
        choice: The framework that exports, with its reason.
        feature: Name of the feature.
        options: The options of the export.
        transforms: The transforms that make variants of the files.
    """

    checkpoint: Checkpoint
    choice: FrameworkChoice
    feature: str
    options: ExportOptions
    transforms: tuple[Transform, ...]

    @property
    def model_type(self) -> str | None:
        """Model type of the configuration; None for a model without one."""
        return None


@dataclass(frozen=True)
class ConfiguredPlan(Plan):
    """The plan of a model of transformers, which its configuration declares.

    Attributes:
        model_class: Name of the class of transformers that loads the checkpoint.
        declared: The declaration.
    """

    model_class: str
    declared: Declared

    @property
    def model_type(self) -> str | None:
        return str(self.checkpoint.config.model_type)


@dataclass(frozen=True)
class SignaturePlan(Plan):
    """The plan of a model that declares itself by a signature: its declaration is made when it is loaded."""


def make_plan(model: Any, options: ExportOptions) -> ConfiguredPlan | SignaturePlan:
    """Look at a checkpoint and decide how to export it. Nothing is loaded and nothing runs.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        FrameworkError: The framework cannot be used.
        UnsupportedError: This kind of checkpoint, model type or feature has no declaration.
        InputsError: Options of models that declare themselves are set for a checkpoint of transformers.
    """
    selection = options.selection
    checkpoint = open_checkpoint(
        model, cache_dir=selection.cache_dir, model_type=selection.model_type, options=options.signature
    )
    choice = checkpoint.choose_framework(selection.framework, installed_frameworks())
    plan = Plan(checkpoint, choice, selection.feature, options, find_transforms(options.writing.transforms))
    return _signature_plan(plan) if checkpoint.kind.declares_itself else _configured_plan(plan)


def declared_by(config: OnnxConfig, options: ExportOptions, caveats: tuple[str, ...] = ()) -> Declared:
    """Derive from a declaration what the files are and how they are validated.

    Args:
        config: The declaration of the model.
        options: The options of the export.
        caveats: Caveats beside those of the declaration.
    """
    asked, tolerance = options.writing.opset, options.acceptance
    return Declared(
        config,
        opset=check_opset(config.default_onnx_opset) if asked is None else asked,
        tolerance=Tolerance(
            config.atol_for_validation if tolerance.atol is None else tolerance.atol,
            DEFAULT_RTOL if tolerance.rtol is None else tolerance.rtol,
        ),
        parts=parts_of(config, options.writing.monolith),
        caveats=(*config._caveats_, *caveats),
    )


def _configured_plan(plan: Plan) -> ConfiguredPlan:
    checkpoint, source = plan.checkpoint, plan.checkpoint.source
    if checkpoint.options.changed:
        raise InputsError(
            f"options that do not apply to {source} were passed: {', '.join(checkpoint.options.changed)}. It is a checkpoint of "
            "transformers, whose configuration declares its inputs. Leave them out: they are for models that declare themselves, "
            f"which are {sources.self_declaring()}."
        )
    model_type, architectures = checkpoint.config.model_type, architectures_of(checkpoint.config)
    feature = choose_feature(plan.feature, checkpoint.config, source)
    declare = config_factory(model_type, feature, source)
    with values_of_configuration(source):
        config = declare(checkpoint.config)
        declared = declared_by(config, plan.options, _without_cache(feature, model_type))
    if plan.options.writing.monolith and list(parts_of(config)) == list(declared.parts):
        raise InputsError(
            f"{feature} of {source} is one file in any case: it is not an encoder-decoder. Leave out --monolith (monolith=True)."
        )
    return ConfiguredPlan(
        checkpoint,
        plan.choice,
        feature,
        plan.options,
        plan.transforms,
        model_class(model_type, feature, plan.choice.framework, architectures),
        declared,
    )


def _signature_plan(plan: Plan) -> SignaturePlan:
    if plan.feature not in (_DEFAULT, AUTO):
        raise UnsupportedFeatureError(
            f"{plan.checkpoint.source} has no features: its signature says what it computes. Leave out --feature "
            "(feature=...)."
        )
    without_effect = [name for name, is_set in _only_of_transformers(plan.options).items() if is_set]
    if without_effect:
        raise InputsError(
            f"options that do not apply to {plan.checkpoint.source} were passed: {', '.join(without_effect)}. They are for "
            "checkpoints of transformers. Leave them out."
        )
    return SignaturePlan(plan.checkpoint, plan.choice, _DEFAULT, plan.options, plan.transforms)


def _only_of_transformers(options: ExportOptions) -> dict[str, bool]:
    """Return by name whether a user has set each of the options that only checkpoints of transformers have."""
    selection = options.selection
    return {
        "model_type": selection.model_type is not None,
        "preprocessor": selection.preprocessor != Selection.preprocessor,
        "monolith": options.writing.monolith,
    }


def _without_cache(feature: str, model_type: str) -> tuple[str, ...]:
    """Return the caveat of a model that generates text, exported without its cache."""
    if feature not in GENERATING:
        return ()
    with_past = f"{feature}{WITH_PAST}"
    known = with_past in declaration_of(model_type).features
    return (
        "has no key-value cache: clients that expect one either read the whole text again for each token or, like "
        "transformers.js, write wrong text without an error." + (f" --feature {with_past} has one." if known else ""),
    )
