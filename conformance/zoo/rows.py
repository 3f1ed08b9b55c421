"""One row of the zoo: a model type, a feature and a framework, from a tiny model to a verdict."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.backends import get_backend
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.features import config_factory, supported
from tfexport.declarations.onnx_config import DEFAULT_ONNX_OPSET
from tfexport.declarations.parts import parts_of
from tfexport.declarations.tasks import GENERATING, WITH_PAST
from tfexport.pipeline.conversion import convert_by_any_route, run_example, write
from tfexport.validation import Reference, Tolerance, ValidationReport, validate_files
from tfexport.validation.decoding import STEPS

LEAST_CASES = 3
LEAST_MAGNITUDE = 1e-3
"""The least magnitude of an output: below it any comparison would pass."""


@dataclass(frozen=True)
class Row:
    """One export: a model type, a feature and a framework.

    Attributes:
        model_type: Model type, with hyphens.
        feature: Name of the feature.
        framework: Framework, "pt" or "tf".
        model_class: Name of the class that is exported.
    """

    model_type: str
    feature: str
    framework: Framework
    model_class: str

    @property
    def name(self) -> str:
        """Name of the row, such as ``bert/masked-lm/tf``."""
        return f"{self.model_type}/{self.feature}/{self.framework}"


@dataclass(frozen=True)
class Result:
    """The outcome of a row.

    Attributes:
        passed: Whether the file is valid on enough cases, with outputs that can be compared.
        problem: Problem that was found; None for a row that passed.
        opset: Opset of the file.
        cases: Number of cases that were compared.
        padded_cases: Number of those cases with padding.
        max_abs_error: Largest absolute difference from the source, over all cases and outputs.
        max_rel_error: Largest difference relative to the largest magnitude of the output.
        seconds: Wall time from the configuration to the result.
        generated: Tokens per row that files with a cache generated as the model itself does; 0 without a cache.
    """

    passed: bool
    problem: str | None = None
    opset: int | None = None
    cases: int = 0
    padded_cases: int = 0
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    seconds: float | None = None
    generated: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return asdict(self)


def rows() -> list[Row]:
    """Return every row: each declared feature in each framework that has a class for it."""
    return [
        Row(entry.model_type, entry.feature, framework, name)
        for entry in supported()
        for framework, name in entry.classes.items()
    ]


def check(row: Row, opset: int = DEFAULT_ONNX_OPSET) -> Result:
    """Export a row's tiny model and compare the file with it on every standard case.

    Raises:
        TfExportError: the model cannot be exported.
    """
    began = perf_counter()
    with TemporaryDirectory(prefix="tfexport-zoo-") as folder:
        report = export_and_validate(row, Path(folder), opset)
    problem = _problem(row, report)
    outputs = [output for case in report.cases for output in case.outputs]
    return Result(
        passed=problem is None,
        problem=problem,
        opset=opset,
        cases=len(report.cases),
        padded_cases=sum(case.case.padding is not None for case in report.cases),
        max_abs_error=report.max_abs_error,
        max_rel_error=max((o.max_abs_error / o.reference_max for o in outputs if o.reference_max), default=None),
        seconds=round(perf_counter() - began, 2),
        generated=min((text.steps for text in report.generation), default=0),
    )


def export_and_validate(row: Row, folder: Path, opset: int = DEFAULT_ONNX_OPSET) -> ValidationReport:
    """Export and validate a row; the report also compares names, order and axes with the declaration.

    An encoder-decoder that generates is exported in parts, and then whole.
    """
    config = tiny_config(row.model_type, row.feature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the frameworks warn while they make a model
        model = tiny_model(row.framework, row.model_class, config)
    declaration = config_factory(row.model_type, row.feature)(config)
    tolerance = Tolerance(declaration.atol_for_validation)
    backend = get_backend(row.framework)
    layouts = {tuple(parts): parts for parts in (parts_of(declaration), parts_of(declaration, monolith=True))}
    reports: list[ValidationReport] = []
    for parts in layouts.values():
        references = {name: Reference(backend, model, part) for name, part in parts.items()}
        examples = {name: run_example(reference) for name, reference in references.items()}
        graphs = convert_by_any_route(references, examples, opset)
        reports.append(validate_files(write(graphs, folder), graphs, references, tolerance))
    return ValidationReport(
        tolerance,
        tuple(case for report in reports for case in report.cases),
        "; ".join(report.problem for report in reports if report.problem) or None,
        tuple(text for report in reports for text in report.generation),
    )


def _problem(row: Row, report: ValidationReport) -> str | None:
    if not report.passed:
        return "; ".join(report.problems)
    if len(report.cases) < LEAST_CASES:
        return f"only {len(report.cases)} cases"
    generates = row.feature.endswith(WITH_PAST) and row.feature.removesuffix(WITH_PAST) in GENERATING
    if generates and not (report.generation and all(text.steps >= STEPS for text in report.generation)):
        return f"wrote fewer than {STEPS} tokens"
    flat = sorted(_flat(report))
    return f"nothing to compare: {', '.join(flat)} is about zero" if flat else None


def _flat(report: ValidationReport) -> Iterable[str]:
    return {o.name for case in report.cases for o in case.outputs if o.reference_max <= LEAST_MAGNITUDE}
