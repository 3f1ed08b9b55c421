"""A framework's corner: the model itself, run in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.errors import TfExportError
from tfexport.parity.exchange import Exchange
from tfexport.parity.run_result import PartRecord, RunResult
from tfexport.pipeline.options import ExportOptions
from tfexport.pipeline.plan import ConfiguredPlan, SignaturePlan, make_plan
from tfexport.pipeline.preparation import Prepared, prepare
from tfexport.pipeline.stages import Stages
from tfexport.processes.isolation import Caller
from tfexport.processes.memory import rss_mib
from tfexport.validation import Case, Reference, Tolerance, actual_case, flatten_inputs, thorough_cases
from tfexport.validation.invariance import can_be_cut, padding_error, spread


@dataclass(frozen=True)
class FrameworkModel:
    """A checkpoint in one framework.

    Attributes:
        checkpoint: Folder or hub id.
        options: Options of its export. Without a framework in them, the checkpoint's own runs it.
    """

    checkpoint: str
    options: ExportOptions

    def in_framework(self, framework: Framework, feature: str) -> FrameworkModel:
        """Return the same checkpoint in a framework and for a feature that are known by now."""
        selection = replace(self.options.selection, framework=framework, feature=feature)
        return replace(self, options=replace(self.options, selection=selection))

    def in_one_file(self) -> FrameworkModel:
        """Return the same checkpoint, an encoder-decoder, with one file in place of its parts."""
        return replace(self, options=replace(self.options, writing=replace(self.options.writing, monolith=True)))

    def summary(self, call: Caller) -> PlanSummary:
        """Return the summary of its plan. A model that declares itself is loaded for that, by `call`.

        Raises:
            CheckpointError, FrameworkError, UnsupportedError: The checkpoint cannot be used.
            ProcessError: The checkpoint declares itself and cannot be used.
        """
        options = self.options
        selection = options.selection
        opened = open_checkpoint(
            self.checkpoint, cache_dir=selection.cache_dir, model_type=selection.model_type, options=options.signature
        )
        found: PlanSummary = call(summarise, self) if opened.kind.declares_itself else summarise(self)
        return found

    def plan(self) -> ConfiguredPlan | SignaturePlan:
        """Return the plan of its export."""
        return make_plan(self.checkpoint, self.options)


@dataclass(frozen=True)
class PlanSummary:
    """Facts of a plan that a comparison requires. They include no model, so that they can be sent between processes.

    Attributes:
        framework: Framework that runs the model.
        feature: Feature that is compared.
        about: Model type, or the class of a model without one.
        parts: Names of the exported files, without ``.onnx``.
        tolerance: Tolerance of the comparison.
    """

    framework: Framework
    feature: str
    about: str
    parts: tuple[str, ...]
    tolerance: Tolerance


def summarise(model: FrameworkModel) -> PlanSummary:
    """Return the summary of a model's plan."""
    plan = model.plan()
    if isinstance(plan, ConfiguredPlan):
        about, declared = str(plan.model_type), plan.declared
    else:
        prepared = prepare(plan, Stages())
        about, declared = prepared.loaded.model_class, prepared.declared
    return PlanSummary(plan.choice.framework, plan.feature, about, tuple(declared.parts), declared.tolerance)


def run_model(
    model: FrameworkModel, folder: Path, corner: str, cases: Mapping[str, Sequence[Case]] | None = None
) -> RunResult:
    """Run a model on every case of every part.

    Args:
        model: Model to run.
        folder: Folder of the `Exchange`.
        corner: Name under which outputs are written.
        cases: Cases of each part, when another framework chose them and made their inputs. None: this model makes them.
    """
    begin, rss = time.monotonic(), rss_mib()
    prepared = _prepared(model)
    records = {}
    for part, reference in prepared.references().items():
        runner = _PartRunner(Exchange(folder), corner, part, reference, makes_inputs=cases is None)
        records[part] = runner.run(thorough_cases(reference.config) if cases is None else cases.get(part, ()))
    about = {
        "model_class": prepared.loaded.model_class,
        "missing_weights": sorted(prepared.loaded.missing_weights | prepared.loaded.made_later()),
    }
    result = RunResult.of(about, records)
    return replace(result, seconds=time.monotonic() - begin, grown_mib=max(0.0, result.peak_rss_mib - rss))


def record_layers(model: FrameworkModel, folder: Path, name: str, part: str, case: int) -> None:
    """Record the output of each layer of a model for one case.

    Args:
        model: Model to run.
        folder: Folder of the `Exchange`.
        name: Name of the recording.
        part: Part of the model.
        case: Number of the case.
    """
    exchange, prepared = Exchange(folder), _prepared(model)
    reference = prepared.references()[part]
    found = reference.backend.layers(reference.model, reference.config, exchange.nested_inputs(part, case))
    exchange.save_recording(name, found)


def _prepared(model: FrameworkModel) -> Prepared:
    return prepare(model.plan(), Stages())


@dataclass(frozen=True)
class _PartRunner:
    """Runs one part of a model."""

    exchange: Exchange
    corner: str
    part: str
    reference: Reference
    makes_inputs: bool

    def run(self, cases: Sequence[Case]) -> PartRecord:
        actual: list[Case] = []
        record = PartRecord(cases=actual, labels=_labels(self.reference.config))
        for number, case in enumerate(cases):
            actual.append(case)
            try:
                if self.makes_inputs:
                    actual[-1] = self._make_inputs(number, case)
                inputs = self.exchange.nested_inputs(self.part, number)
                outputs = self._declared(inputs)
            except (TfExportError, FileNotFoundError) as error:
                record.problems[number] = str(error)
            else:
                self._keep(record, number, case, inputs, outputs)
        return record

    def _make_inputs(self, number: int, case: Case) -> Case:
        config = self.reference.config
        inputs = self.reference.inputs(case)
        flat = flatten_inputs(config, config.generate_dummy_inputs_onnxruntime(inputs))
        self.exchange.save_inputs(self.part, number, inputs, flat)
        return actual_case(config, case, inputs)

    def _declared(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        outputs = self.reference.run(inputs)
        return {name: outputs[name] for name in self.reference.config.outputs if name in outputs}

    def _keep(
        self, record: PartRecord, number: int, case: Case, inputs: Any, outputs: Mapping[str, np.ndarray]
    ) -> None:
        empty = [name for name, value in outputs.items() if value.size and not np.isfinite(value).any()]
        if empty and self.makes_inputs:
            record.problems[number] = f"the model returns no finite number in {', '.join(empty)}"
            return
        self.exchange.save_outputs(self.part, number, self.corner, outputs)
        if record.spread is None:
            record.spread = spread(outputs, self._declared(inputs))
        if case.padding == "right" and can_be_cut(inputs) and record.padding is None:
            record.padding = padding_error(self._declared, inputs, outputs)


def _labels(config: OnnxConfig) -> dict[str, dict[int, str]]:
    return {name: dict(axes) for name, axes in (*config.inputs.items(), *config.outputs.items())}
