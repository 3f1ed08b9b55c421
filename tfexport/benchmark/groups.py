"""The groups of a target: its cells by setting, each with the work it is to do, its inputs and the reference's outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfexport.benchmark.cells import Axes, Setting
from tfexport.benchmark.engines import Engine, engine, installed, missing
from tfexport.benchmark.graph_facts import half_precision
from tfexport.benchmark.measured import Measured, comparisons
from tfexport.benchmark.reference import distinct, make_references, save
from tfexport.benchmark.targets import Target
from tfexport.benchmark.work import Model, Work
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.errors import BenchmarkError, ProcessError
from tfexport.processes.isolation import call_isolated
from tfexport.runtime.providers import check_providers

_EAGER = {"tf": "tf-eager", "pt": "torch-eager"}
_OWN = "ort"


@dataclass
class Group:
    """The cells of one setting.

    Attributes:
        target: what is measured.
        setting: that all cells share.
        cells: in the order asked for.
        inputs: the file of the inputs.
        outputs: the file of the reference's outputs.
    """

    target: Target
    setting: Setting
    cells: list[Measured]
    inputs: Path
    outputs: Path
    works: dict[str, Work] = field(default_factory=dict)

    @property
    def alive(self) -> list[Measured]:
        """The cells that still are to get a number."""
        return [cell for cell in self.cells if cell.alive]

    @property
    def begun(self) -> bool:
        """Whether anything was measured."""
        return any(cell.rounds for cell in self.cells)

    @property
    def precise(self) -> bool:
        """Whether every median is known well enough."""
        return all(cell.precise for cell in self.alive)

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "name": self.setting.name,
            "setting": self.setting.as_dict(),
            "cells": [cell.as_dict() for cell in self.cells],
            "comparisons": comparisons(self.cells, self.target.export_s),
        }


def reference_of(target: Target) -> str:
    """The engine that every other one must agree with.

    The framework that the files were made from; where it is not installed, the other one, with the same checkpoint; without a
    checkpoint, ONNX Runtime without its optimisations.
    """
    if target.framework is None:
        return _OWN
    own = _EAGER[target.framework]
    return next((name for name in (own, *_EAGER.values()) if not missing(engine(name))), own)


def make_groups(target: Target, axes: Axes, folder: Path) -> list[Group]:
    """The groups of a target; the reference is run for their inputs.

    Args:
        target: what is measured.
        axes: its settings.
        folder: for inputs and outputs.

    Raises:
        BenchmarkError: the reference fails, or every row is longer than the model takes.
    """
    settings = axes.settings(
        target.model.name, has_sequence=target.has_sequence, writes=target.writes, longest=target.longest
    )
    if not settings:
        raise BenchmarkError(f"every row asked for is longer than {target.model.name} takes: {target.longest} tokens.")
    folder.mkdir(parents=True, exist_ok=True)
    target = replace(target, model=_with_checkpoints(target, axes, folder))
    inputs = distinct(settings)
    for setting in inputs:
        save(folder / f"{setting.inputs}.inputs.npz", target.make_inputs(setting))
    name = reference_of(target)
    try:
        call_isolated(make_references, target.model, name, inputs, folder)
    except ProcessError as error:
        raise BenchmarkError(f"the reference, {name}, failed on {target.model.name}: {error}") from error
    return [_group(target, axes, setting, folder) for setting in settings]


def _with_checkpoints(target: Target, axes: Axes, folder: Path) -> Model:
    """The model with a checkpoint for each framework that runs it, so that no engine has to import the other one.

    Raises:
        BenchmarkError: the weights cannot be converted.
    """
    model = target.model
    if model.checkpoint is None:
        return model
    names = (*axes.engines, reference_of(target))
    wanted = {found.framework for name in names if (found := engine(name, writes=target.writes)).framework is not None}
    held = {files.framework for files in open_checkpoint(model.checkpoint).weights or ()}
    converted = {}
    for framework in sorted(wanted - held):
        converted[framework] = folder / f"checkpoint-{framework}"
        try:
            call_isolated(_convert, model, framework, converted[framework])
        except ProcessError as error:
            raise BenchmarkError(f"{model.name} could not be converted for {framework}: {error}") from error
    return replace(model, converted=converted)


def _convert(model: Model, framework: str, folder: Path) -> None:
    from tfexport.onnx.features import FeaturesManager

    assert model.feature is not None and model.checkpoint is not None
    FeaturesManager.get_model_from_feature(model.feature, model.checkpoint, framework).save_pretrained(folder)


def _group(target: Target, axes: Axes, setting: Setting, folder: Path) -> Group:
    group = Group(
        target,
        setting,
        [Measured(cell) for cell in axes.cells(setting)],
        folder / f"{setting.inputs}.inputs.npz",
        folder / f"{setting.inputs}.outputs.npz",
    )
    for cell in group.cells:
        found = engine(cell.cell.engine, writes=target.writes)
        work = Work(_model_for(found, target.model, setting, folder), cell.cell)
        group.works[cell.cell.key] = work
        refused = _refused(found, work)
        if refused is not None:
            cell.give_up("refused", refused)
    return group


def _model_for(found: type[Engine], model: Model, setting: Setting, folder: Path) -> Model:
    """The model, with files that compute in float16 where an engine computes as its files say."""
    if setting.precision != "fp16" or not found.converts_files:
        return model
    files = {stem: folder / f"{stem}.fp16.onnx" for stem in model.files}
    for stem, path in model.files.items():
        if not files[stem].exists():
            call_isolated(half_precision, path, files[stem])
    return replace(model, files=files)


def check_engines(target: Target, axes: Axes) -> None:
    """Refuse what cannot be measured before anything is.

    Raises:
        UnknownEngineError: there is no such engine.
        EngineNotInstalledError: its package is not installed.
        BenchmarkError: it needs a checkpoint, and there is none.
        ProviderError: ONNX Runtime does not offer a provider.
    """
    for found in installed(axes.engines, writes=target.writes):
        if found.needs_checkpoint and target.model.checkpoint is None:
            raise BenchmarkError(
                f"the engine {found.name} runs a checkpoint, and none of {target.model.name} is known. "
                "Name it with --reference CHECKPOINT."
            )
        if found.providers is None:
            check_providers(axes.providers)


def _refused(found: Any, work: Work) -> str | None:
    """Why an engine does not do some work; None when it does."""
    setting, provider = work.cell.setting, work.cell.provider
    for what, value, known in (
        ("provider", provider, found.providers),
        ("precision", setting.precision, found.precisions),
        ("boundary", setting.boundary, found.boundaries),
    ):
        if known is not None and value not in known:
            return f"{found.name} has no {what} {value}; it has {', '.join(known)}"
    reason: str | None = found.check(work)
    return reason
