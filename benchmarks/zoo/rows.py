"""One row of the zoo: a model type, a feature and a framework, from a tiny model to a verdict."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.zoo.models import tiny_model
from benchmarks.zoo.tiny import tiny_config
from tfexport import export
from tfexport.backends import get_backend
from tfexport.features import config_factory, supported
from tfexport.graph import contract_of
from tfexport.onnx_config import DEFAULT_ONNX_OPSET
from tfexport.tasks import Framework
from tfexport.validation import Tolerance, ValidationReport, case_inputs, standard_cases, validate

LEAST_CASES = 3
LEAST_MAGNITUDE = 1e-3
"""An output below it would make any comparison pass."""


@dataclass(frozen=True)
class Row:
    """What is exported.

    Attributes:
        model_type: with hyphens.
        feature: the feature.
        framework: "pt" or "tf".
        model_class: the class that is exported.
    """

    model_type: str
    feature: str
    framework: Framework
    model_class: str

    @property
    def name(self) -> str:
        """``bert/masked-lm/tf``."""
        return f"{self.model_type}/{self.feature}/{self.framework}"


@dataclass(frozen=True)
class Result:
    """What came of a row.

    Attributes:
        passed: whether the file is valid, on enough cases, with something to compare.
        problem: what is wrong; None when nothing is.
        opset: of the file.
        cases: number of cases compared.
        padded_cases: those among them with padding.
        max_abs_error: largest absolute difference from the source, over all cases and outputs.
        max_rel_error: the same, relative to the largest magnitude of the output.
        seconds: wall time, from the configuration to the verdict.
    """

    passed: bool
    problem: str | None = None
    opset: int | None = None
    cases: int = 0
    padded_cases: int = 0
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def rows() -> list[Row]:
    """Every row: each declared feature in each framework that has a class for it."""
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
        report = export_and_validate(row, Path(folder) / "model.onnx", opset)
    problem = _problem(report)
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
    )


def export_and_validate(row: Row, file: Path, opset: int) -> ValidationReport:
    """The report of a row's file, which holds names, order and axes against the declaration too."""
    config = tiny_config(row.model_type, row.feature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the frameworks say while they make a model is not ours
        model = tiny_model(row.framework, row.model_class, config)
    declaration = config_factory(row.model_type, row.feature)(config)
    backend = get_backend(row.framework)
    named = export(None, model, declaration, opset, file)
    assert named == (list(declaration.inputs), list(declaration.outputs)), named
    traced = case_inputs(declaration, None, None, row.framework)
    return validate(
        file,
        declaration,
        lambda arrays: backend.run(model, declaration, arrays),
        standard_cases(declaration),
        Tolerance(declaration.atol_for_validation),
        framework=row.framework,
        contract=contract_of(declaration, traced, backend.run(model, declaration, traced)),
    )


def _problem(report: ValidationReport) -> str | None:
    if not report.passed:
        return "; ".join(report.problems)
    if len(report.cases) < LEAST_CASES:
        return f"only {len(report.cases)} cases"
    flat = sorted(_flat(report))
    return f"nothing to compare: {', '.join(flat)} is about zero" if flat else None


def _flat(report: ValidationReport) -> Iterable[str]:
    return {o.name for case in report.cases for o in case.outputs if o.reference_max <= LEAST_MAGNITUDE}
