"""From a plan to a model that is loaded and declared: the stages ``load`` and, for a model that declares itself, ``declare``."""

from __future__ import annotations

from dataclasses import dataclass

from tfexport.backends import Backend, LoadedModel, get_backend
from tfexport.backends.trials import trials_of
from tfexport.checkpoints.preprocessor import Preprocessor, load_preprocessor
from tfexport.checkpoints.signature import with_shapes
from tfexport.declarations.probing import declare
from tfexport.pipeline.plan import ConfiguredPlan, Declared, Plan, SignaturePlan, declared_by
from tfexport.pipeline.stages import Stages
from tfexport.validation import Reference


@dataclass(frozen=True)
class Prepared:
    """A model, loaded and declared.

    Attributes:
        plan: The plan.
        declared: The declaration, and what follows from it.
        backend: The backend that loaded the model.
        loaded: The model.
        preprocessor: The tokenizer or another preprocessor, or none.
    """

    plan: Plan
    declared: Declared
    backend: Backend
    loaded: LoadedModel
    preprocessor: Preprocessor

    def references(self) -> dict[str, Reference]:
        """Return the model, or the part of it, that each file must agree with."""
        return {
            name: Reference(self.backend, self.loaded.model, config, self.preprocessor.value)
            for name, config in self.declared.parts.items()
        }


def prepare(plan: ConfiguredPlan | SignaturePlan, stages: Stages) -> Prepared:
    """Load the model of a plan and declare it.

    Raises:
        CheckpointError: The weights cannot be read or do not fit the model.
        UnsupportedError: The model takes or returns tensors that ONNX has no counterpart for.
        InputsError: The checkpoint lacks the preprocessor that was asked for, or the model fails on all inputs that were tried.
    """
    return _load(plan, stages) if isinstance(plan, ConfiguredPlan) else _load_and_declare(plan, stages)


def _load(plan: ConfiguredPlan, stages: Stages) -> Prepared:
    with stages.stage("load"):
        backend = get_backend(plan.choice.framework)
        preprocessor = load_preprocessor(plan.checkpoint, plan.options.selection.preprocessor)
        loaded = backend.load(plan.checkpoint, plan.model_class, plan.choice)
    return Prepared(plan, plan.declared, backend, loaded, preprocessor)


def _load_and_declare(plan: SignaturePlan, stages: Stages) -> Prepared:
    checkpoint, options = plan.checkpoint, plan.checkpoint.options
    with trials_of(checkpoint, plan.choice.framework) as trials:  # a child process loads the model beside this one
        with stages.stage("load"):
            backend = get_backend(plan.choice.framework)
            loaded = backend.load_signature_model(checkpoint)
        with stages.stage("declare"):
            specs = with_shapes(loaded.model.fed, options.input_shapes)
            tried = trials(loaded.model)
            config = declare(specs, tried.run, options, checkpoint.source, careful=tried.careful)
    preprocessor = Preprocessor(None, "none: inputs are drawn from the signature")
    return Prepared(plan, declared_by(config, plan.options), backend, loaded, preprocessor)
