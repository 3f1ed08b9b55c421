"""What passes along the line: a plan, a loaded source, and an attempt for each exporter tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tfexport.backends import Backend, LoadedModel, get_backend, installed_frameworks
from tfexport.checkpoints.checkpoint import Checkpoint, open_checkpoint
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.checkpoints.preprocessor import Preprocessor, load_preprocessor
from tfexport.declarations.features import AUTO, choose_feature, config_factory, declaration_of, model_class
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import parts_of
from tfexport.declarations.tasks import GENERATING, WITH_PAST
from tfexport.errors import ConversionError, InputsError, UnsupportedFeatureError
from tfexport.graph import OnnxFiles, OnnxGraph, check_opset
from tfexport.pipeline.options import ExportOptions
from tfexport.pipeline.transforms import find_transforms
from tfexport.pipeline.transforms.base import Transform
from tfexport.pipeline.variants import ValidatedVariant
from tfexport.validation import DEFAULT_RTOL, Reference, Tolerance, ValidationReport

_DEFAULT = "default"


@dataclass(frozen=True)
class Plan:
    """What will be exported, and how it will be judged. A model with a configuration is not loaded yet.

    Attributes:
        checkpoint: what lies on disk.
        choice: the framework that exports, with its reason.
        feature: what is exported.
        config: the declaration.
        model_class: the class of transformers that loads the checkpoint.
        opset: version of the default operator set to write.
        tolerance: what the validation allows.
        parts: what each file computes: the declaration, or one a part of it, by the file's name without ``.onnx``.
        loaded: the model, where it is loaded for its declaration: one that declares itself by a signature.
        transforms: the transforms that make variants of the files.
    """

    checkpoint: Checkpoint
    choice: FrameworkChoice
    feature: str
    config: OnnxConfig
    model_class: str
    opset: int
    tolerance: Tolerance
    parts: Mapping[str, OnnxConfig]
    loaded: LoadedModel | None = None
    transforms: tuple[Transform, ...] = ()

    @property
    def model_type(self) -> str | None:
        """Of the configuration; None where the model has none."""
        return None if self.checkpoint.kind.declares_itself else str(self.checkpoint.config.model_type)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the files do not promise, one sentence each."""
        task = self.feature.removesuffix(WITH_PAST)
        if task not in GENERATING or self.feature.endswith(WITH_PAST):
            return self.config._caveats_
        with_past = f"{task}{WITH_PAST}"
        known = with_past in declaration_of(self.checkpoint.config.model_type).features
        return (
            *self.config._caveats_,
            "has no key-value cache: clients that expect one read the whole text again for each token, or write wrong text "
            "without a word (transformers.js)." + (f" --feature {with_past} has one." if known else ""),
        )


@dataclass(frozen=True)
class Source:
    """The loaded checkpoint.

    Attributes:
        backend: the backend that loaded it.
        loaded: the model.
        preprocessor: the tokenizer or processor, or none.
    """

    backend: Backend
    loaded: LoadedModel
    preprocessor: Preprocessor

    def references(self, plan: Plan) -> dict[str, Reference]:
        """What each file of a plan computes."""
        return {
            name: Reference(self.backend, self.loaded.model, config, self.preprocessor.value)
            for name, config in plan.parts.items()
        }


@dataclass(frozen=True)
class Attempt:
    """One exporter, from the model to a validated file.

    Attributes:
        route: the exporter.
        graphs: what was converted, by the file's name without ``.onnx``; empty when conversion failed.
        files: what was written, by the same names; empty when conversion failed.
        report: the validation; None when conversion failed.
        failure: why conversion failed; None when it did not.
        variants: what transforms made of the files, with its validation.
    """

    route: str
    graphs: Mapping[str, OnnxGraph] = field(default_factory=dict)
    files: Mapping[str, OnnxFiles] = field(default_factory=dict)
    report: ValidationReport | None = None
    failure: ConversionError | None = None
    variants: tuple[ValidatedVariant, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether there is a file and it agrees with its source."""
        passed = self.report is not None and self.report.passed
        return passed and all(each.report.passed for each in self.variants)

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, what its exporter noted first; empty for a valid file."""
        if self.valid:
            return ()
        notes = dict.fromkeys(note for graph in self.graphs.values() for note in graph.notes)
        found = () if self.failure is None else (str(self.failure),)
        variants = (problem for each in self.variants for problem in each.problems)
        return *notes, *found, *(() if self.report is None else self.report.problems), *variants


def make_plan(
    model: Any,
    options: ExportOptions,
) -> Plan:
    """Look at a checkpoint and decide how to export it.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        FrameworkError: the framework cannot be used.
        UnsupportedError: no declaration for this kind of checkpoint, model type or feature.
    """
    selection, acceptance = options.selection, options.acceptance
    checkpoint = open_checkpoint(
        model, cache_dir=selection.cache_dir, model_type=selection.model_type, options=options.signature
    )
    choice = checkpoint.choose_framework(selection.framework, installed_frameworks())
    loaded = None
    if checkpoint.kind.declares_itself:
        choice, loaded = _load_plain(checkpoint, choice, selection.feature)
        assert loaded.declaration is not None
        feature, config, called = _DEFAULT, loaded.declaration, loaded.model_class
    else:
        feature, config, called = _declared(checkpoint, choice, selection.feature)
    return Plan(
        checkpoint=checkpoint,
        choice=choice,
        feature=feature,
        config=config,
        model_class=called,
        opset=check_opset(config.default_onnx_opset) if options.writing.opset is None else options.writing.opset,
        tolerance=Tolerance(
            config.atol_for_validation if acceptance.atol is None else acceptance.atol,
            DEFAULT_RTOL if acceptance.rtol is None else acceptance.rtol,
        ),
        parts=parts_of(config, options.writing.monolith),
        loaded=loaded,
        transforms=find_transforms(options.writing.transforms),
    )


def _declared(checkpoint: Checkpoint, choice: FrameworkChoice, feature: str) -> tuple[str, OnnxConfig, str]:
    """The feature, the declaration and the class of a checkpoint of transformers."""
    if checkpoint.options.changed:
        raise InputsError(
            f"{', '.join(checkpoint.options.changed)} do not apply to {checkpoint.source}, a checkpoint of transformers, whose "
            "configuration declares its inputs. They are for Keras files, SavedModels and models in Python."
        )
    model_type, architectures = checkpoint.config.model_type, checkpoint.config.architectures or ()
    feature = choose_feature(feature, checkpoint.config, checkpoint.source)
    config = config_factory(model_type, feature, checkpoint.source)(checkpoint.config)
    return feature, config, model_class(model_type, feature, choice.framework, architectures)


def _load_plain(checkpoint: Checkpoint, choice: FrameworkChoice, feature: str) -> tuple[FrameworkChoice, LoadedModel]:
    """A model that declares itself, loaded, since it must be asked."""
    if feature not in (_DEFAULT, AUTO):
        raise UnsupportedFeatureError(
            f"{checkpoint.source} has no features: what it computes is what its signature says. Leave --feature out."
        )
    loaded = get_backend(choice.framework).load(checkpoint, "", choice)
    if choice.framework == "pt":
        choice = replace(choice, reason="PyTorch, as asked for: Keras 3 runs on it")
    return choice, loaded


def load_source(plan: Plan, preprocessor: str) -> Source:
    """Load what a plan names: the model, and the preprocessor of the kind asked for.

    Raises:
        CheckpointError: the weights cannot be read or do not fit the model.
        InputsError: no preprocessor of that kind.
    """
    backend = get_backend(plan.choice.framework)
    if plan.loaded is not None:
        return Source(backend, plan.loaded, Preprocessor(None, "none: inputs are drawn from the signature"))
    found = load_preprocessor(plan.checkpoint, preprocessor)
    return Source(backend, backend.load(plan.checkpoint, plan.model_class, plan.choice), found)
