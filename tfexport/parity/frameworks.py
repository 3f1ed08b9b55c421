"""A framework's corner: the model itself, run in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.errors import TfExportError
from tfexport.parity.exchange import Exchange
from tfexport.pipeline.options import ExportOptions, export_options
from tfexport.pipeline.plan import Plan, Source, load_source, make_plan
from tfexport.pipeline.stages import peak_rss_mib
from tfexport.processes.isolation import Caller
from tfexport.validation import Case, Tolerance, flatten_inputs, thorough_cases
from tfexport.validation.cases import actual_case
from tfexport.validation.invariance import can_be_cut, padding_error, spread
from tfexport.validation.reference import Reference


@dataclass(frozen=True)
class Model:
    """A checkpoint in one framework.

    Attributes:
        checkpoint: a folder, or a hub id.
        feature: what is compared.
        framework: that runs it; None for what the checkpoint is.
        atol, rtol: tolerances asked for; None for the declaration's.
        cache_dir: where transformers keeps what it downloads.
        monolith: whether an encoder-decoder is one part.
        options: how a model that declares itself by a signature is read.
    """

    checkpoint: str
    feature: str
    framework: str | None
    atol: float | None = None
    rtol: float | None = None
    cache_dir: str | None = None
    monolith: bool = False
    options: SignatureOptions = field(default_factory=SignatureOptions)

    def planned(self, call: Caller) -> Planned:
        """What is known of it before it runs. A model that declares itself is loaded for that, elsewhere.

        Raises:
            CheckpointError, FrameworkError, UnsupportedError: it cannot be used.
            ProcessError: one that declares itself cannot be.
        """
        plain = open_checkpoint(self.checkpoint, cache_dir=self.cache_dir, options=self.options).is_plain
        found: Planned = call(planned, self) if plain else planned(self)
        return found

    def plan(self) -> Plan:
        """How it would be exported."""
        return make_plan(self.checkpoint, self.export_options())

    def export_options(self) -> ExportOptions:
        """The options with which it is exported."""
        return export_options(
            feature=self.feature,
            framework=self.framework,
            atol=self.atol,
            rtol=self.rtol,
            cache_dir=self.cache_dir,
            monolith=self.monolith,
            keep_invalid=True,
            **vars(self.options),
        )


@dataclass(frozen=True)
class Planned:
    """What a plan says, without the model.

    Attributes:
        framework: that runs it.
        feature: what is compared.
        about: its model type, or its class where it has none.
        parts: names of the files that an export has.
        tolerance: what is allowed.
    """

    framework: Framework
    feature: str
    about: str
    parts: tuple[str, ...]
    tolerance: Tolerance


def planned(model: Model) -> Planned:
    """The plan of a model, in short."""
    plan = model.plan()
    about = plan.model_type or plan.model_class
    return Planned(plan.choice.framework, plan.feature, about, tuple(plan.parts), plan.tolerance)


@dataclass(frozen=True)
class Ran:
    """What a corner did.

    Attributes:
        about: what ran: class, versions, providers.
        cases: of each part, the cases that were run, with the shapes that the inputs really have.
        labels: of each part, the names of the axes of its inputs and outputs, by name and axis.
        problems: of each part, why a case could not be run, by its number.
        structure: of each part, what is wrong with its file before it computes anything.
        padding: of each part, how much padding changes each output; nothing where rows cannot be cut.
        spread: of each part, outputs that a second run of its first case gives otherwise, and by how much at most.
        unvaried: of each part, axes that its file says are dynamic, and that had one length in all cases.
        peak_rss_mib: peak resident memory of the process.
    """

    about: dict[str, Any] = field(default_factory=dict)
    cases: dict[str, tuple[Case, ...]] = field(default_factory=dict)
    labels: dict[str, dict[str, dict[int, str]]] = field(default_factory=dict)
    problems: dict[str, dict[int, str]] = field(default_factory=dict)
    structure: dict[str, list[str]] = field(default_factory=dict)
    padding: dict[str, dict[str, float]] = field(default_factory=dict)
    spread: dict[str, dict[str, float]] = field(default_factory=dict)
    unvaried: dict[str, list[str]] = field(default_factory=dict)
    peak_rss_mib: float = 0.0


def run_model(
    model: Model, folder: Path, corner: str, makes_inputs: bool, given: Mapping[str, tuple[Case, ...]] | None = None
) -> Ran:
    """Run a model on every case of every part.

    Args:
        model: what is run.
        folder: of the `Exchange`.
        corner: under which outputs are written.
        makes_inputs: whether it makes the inputs; else another framework has made them.
        given: the cases of each part, where another framework has chosen them.
    """
    exchange, (plan, source) = Exchange(folder), _loaded(model)
    cases: dict[str, tuple[Case, ...]] = {}
    labels: dict[str, dict[str, dict[int, str]]] = {}
    problems: dict[str, dict[int, str]] = {}
    padding: dict[str, dict[str, float]] = {}
    spreads: dict[str, dict[str, float]] = {}
    for part, reference in source.references(plan).items():
        asked = thorough_cases(reference.config) if given is None else given.get(part, ())
        problems[part], actual = {}, []
        for number, case in enumerate(asked):
            actual.append(case)
            try:
                if makes_inputs:
                    actual[-1] = _make_inputs(exchange, part, number, reference, case)
                inputs = exchange.nested_inputs(part, number)
                outputs = _declared(reference, inputs)
            except (TfExportError, FileNotFoundError) as error:
                problems[part][number] = str(error)
                continue
            nothing = [name for name, value in outputs.items() if value.size and not np.isfinite(value).any()]
            if nothing and makes_inputs:
                problems[part][number] = f"it gives no finite number in {', '.join(nothing)}"
                continue
            exchange.save_outputs(part, number, corner, outputs)
            if part not in spreads:
                spreads[part] = spread(outputs, _declared(reference, inputs))
            if case.padding == "right" and can_be_cut(inputs) and part not in padding:
                padding[part] = padding_error(partial(_declared, reference), inputs, outputs)
        cases[part] = tuple(actual)
        labels[part] = {
            name: dict(axes) for name, axes in (*reference.config.inputs.items(), *reference.config.outputs.items())
        }
    about = {
        "model_class": source.loaded.model_class,
        "missing_weights": sorted(source.loaded.missing_weights | source.loaded.made_later()),
    }
    return Ran(about, cases, labels, problems, padding=padding, spread=spreads, peak_rss_mib=peak_rss_mib())


def record_layers(model: Model, folder: Path, corner: str, part: str, case: int) -> None:
    """Record what each layer of a model gives for one case."""
    exchange, (plan, source) = Exchange(folder), _loaded(model)
    reference = source.references(plan)[part]
    found = reference.backend.layers(reference.model, reference.config, exchange.nested_inputs(part, case))
    exchange.save_recording(corner, found)


def _loaded(model: Model) -> tuple[Plan, Source]:
    plan = model.plan()
    return plan, load_source(plan, "auto")


def _make_inputs(exchange: Exchange, part: str, number: int, reference: Reference, case: Case) -> Case:
    inputs = reference.inputs(case)
    flat = flatten_inputs(reference.config, reference.config.generate_dummy_inputs_onnxruntime(inputs))
    exchange.save_inputs(part, number, inputs, flat)
    return actual_case(reference.config, case, inputs)


def _declared(reference: Reference, inputs: Any) -> dict[str, np.ndarray]:
    outputs = reference.run(inputs)
    return {name: outputs[name] for name in reference.config.outputs if name in outputs}
