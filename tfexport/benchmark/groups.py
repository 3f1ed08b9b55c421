"""The groups of a target: its cells by setting, with their inputs and the outputs of the reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfexport.backends import get_backend
from tfexport.benchmark.cell_results import CellResult, comparisons
from tfexport.benchmark.cells import Axes, Setting
from tfexport.benchmark.engines import Engine, engine, installed, missing
from tfexport.benchmark.engines.checkpoints import plan_of
from tfexport.benchmark.graph_facts import check_size, half_precision
from tfexport.benchmark.processes import patience_s
from tfexport.benchmark.reference import distinct, make_references, save
from tfexport.benchmark.run_spec import Arrays, Model, RunSpec
from tfexport.benchmark.targets import Target
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.errors import BenchmarkError, ProcessError
from tfexport.processes.isolation import call_isolated
from tfexport.runtime.providers import check_providers

_EAGER = {"tf": "tf-eager", "pt": "torch-eager"}
_OWN = "ort"
_BYTES_PER_TOKEN = 8


@dataclass
class Group:
    """The cells of one setting.

    Attributes:
        target: Target that is measured.
        setting: Setting that all cells share.
        cells: Cells in the order asked for.
        inputs: File of the inputs.
        outputs: File of the reference's outputs.
        specs: Run of each cell, by its key.
    """

    target: Target
    setting: Setting
    cells: list[CellResult]
    inputs: Path
    outputs: Path
    specs: dict[str, RunSpec] = field(default_factory=dict)

    @property
    def alive(self) -> list[CellResult]:
        """Cells that may still get a number."""
        return [cell for cell in self.cells if cell.alive]

    @property
    def begun(self) -> bool:
        """Whether at least one round was measured."""
        return any(cell.rounds for cell in self.cells)

    @property
    def precise(self) -> bool:
        """Whether every median is known precisely enough."""
        return all(cell.precise for cell in self.alive)

    def as_dict(self) -> dict[str, Any]:
        """Return the group as values of a results file."""
        return {
            "name": self.setting.name,
            "setting": self.setting.as_dict(),
            "cells": [cell.as_dict() for cell in self.cells],
            "comparisons": comparisons(self.cells, self.target.export_s),
        }


def reference_of(target: Target) -> str:
    """Return the name of the engine that every other one must agree with.

    It is the framework that the files were exported from. If that is not installed, it is the other framework with the same
    checkpoint. Without a checkpoint it is ONNX Runtime without its optimisations.
    """
    if target.framework is None:
        return _OWN
    own = _EAGER[target.framework]
    return next((name for name in (own, *_EAGER.values()) if not missing(engine(name))), own)


def make_groups(target: Target, axes: Axes, folder: Path, time_limit_s: float) -> list[Group]:
    """Return the groups of a target, after running the reference on their inputs.

    Args:
        target: Target to measure.
        axes: Settings of the target.
        folder: Folder for inputs and outputs.
        time_limit_s: Time limit of the whole measurement.

    Raises:
        BenchmarkError: The reference fails, or every row is longer than the model accepts.
        InputsError: The inputs of a setting are too large.
    """
    settings = axes.settings(
        target.model.name, has_sequence=target.has_sequence, writes=target.writes, longest=target.longest
    )
    if not settings:
        raise BenchmarkError(
            f"every row is longer than the {target.longest} tokens that {target.model.name} accepts. Pass shorter "
            "--sequence-lengths, or fewer --tokens."
        )
    folder.mkdir(parents=True, exist_ok=True)
    target = replace(target, model=_with_checkpoints(target, axes, folder))
    inputs = distinct(settings)
    for setting in inputs:
        save(folder / f"{setting.inputs}.inputs.npz", _inputs(target, setting))
    name = reference_of(target)
    try:
        call_isolated(
            make_references,
            target.model,
            name,
            inputs,
            folder,
            timeout_s=patience_s(engine(name, writes=target.writes), target.model, time_limit_s)
            + (len(inputs) - 1) * time_limit_s,
        )
    except ProcessError as error:
        raise BenchmarkError(f"the reference, {name}, failed on {target.model.name}: {error}") from error
    return [_group(target, axes, setting, folder) for setting in settings]


def _inputs(target: Target, setting: Setting) -> Arrays:
    """Return the inputs of a setting, after those of one row have shown how large they are."""
    check_size(setting.batch * (setting.sequence or 1) * _BYTES_PER_TOKEN)
    if setting.batch > 1:
        one = target.make_inputs(replace(setting, batch=1))
        check_size(setting.batch * sum(array.nbytes for array in one.values()))
    return target.make_inputs(setting)


def _with_checkpoints(target: Target, axes: Axes, folder: Path) -> Model:
    """Return the model with a checkpoint for each framework that runs it, so that no engine imports the other framework.

    Raises:
        BenchmarkError: The weights cannot be converted.
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
    plan = plan_of(model, framework)
    loaded = get_backend(plan.choice.framework).load(plan.checkpoint, plan.model_class, plan.choice)
    loaded.model.save_pretrained(folder)


def _group(target: Target, axes: Axes, setting: Setting, folder: Path) -> Group:
    group = Group(
        target,
        setting,
        [CellResult(cell) for cell in axes.cells(setting)],
        folder / f"{setting.inputs}.inputs.npz",
        folder / f"{setting.inputs}.outputs.npz",
    )
    for cell in group.cells:
        found = engine(cell.cell.engine, writes=target.writes)
        spec = RunSpec(_model_for(found, target.model, setting, folder), cell.cell)
        group.specs[cell.cell.key] = spec
        refused = _refused(found, spec)
        if refused is not None:
            cell.give_up("refused", refused)
    return group


def _model_for(found: type[Engine], model: Model, setting: Setting, folder: Path) -> Model:
    """Return the model, with files that compute in float16 for an engine that takes its precision from its files."""
    if setting.precision != "fp16" or not found.converts_files:
        return model
    files = {stem: folder / f"{stem}.fp16.onnx" for stem in model.files}
    for stem, path in model.files.items():
        if not files[stem].exists():
            call_isolated(half_precision, path, files[stem])
    return replace(model, files=files)


def check_engines(target: Target, axes: Axes) -> None:
    """Check engines and providers before anything is measured.

    Raises:
        UnknownEngineError: An engine does not exist.
        EngineNotInstalledError: The package of an engine is not installed.
        BenchmarkError: An engine requires a checkpoint, and none is known.
        ProviderError: The installed ONNX Runtime does not offer a provider.
    """
    for found in installed(axes.engines, writes=target.writes):
        if found.needs_checkpoint and target.model.checkpoint is None:
            raise BenchmarkError(
                f"the engine {found.name} runs a checkpoint, and the checkpoint of {target.model.name} is not known. "
                "Name it by --reference CHECKPOINT."
            )
        if found.providers is None:
            check_providers(axes.providers)


def _refused(found: Any, spec: RunSpec) -> str | None:
    """Return why an engine cannot run a cell; None when it can."""
    setting, provider = spec.cell.setting, spec.cell.provider
    for name, value, known in (
        ("provider", provider, found.providers),
        ("precision", setting.precision, found.precisions),
        ("boundary", setting.boundary, found.boundaries),
    ):
        if known is not None and value not in known:
            return f"{found.name} does not support the {name} {value}; it supports {', '.join(known)}"
    reason: str | None = found.check(spec)
    return reason
