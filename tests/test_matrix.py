"""Every declared (model type, feature, framework): exported from a tiny model, loaded, and compared on every case."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.tiny import TINY, tiny_config, tiny_model
from tfexport import export
from tfexport.backends import get_backend
from tfexport.features import config_factory, supported
from tfexport.graph import contract_of
from tfexport.validation import Tolerance, case_inputs, standard_cases, validate

ROWS = [(entry.model_type, entry.feature, framework) for entry in supported() for framework in entry.classes]
CLASSES = {(entry.model_type, entry.feature): entry.classes for entry in supported()}


def test_every_declared_type_has_a_tiny_configuration() -> None:
    assert sorted({model_type for model_type, _, _ in ROWS}) == sorted(TINY)


@pytest.mark.parametrize(("model_type", "feature", "framework"), ROWS, ids=["-".join(row) for row in ROWS])
def test_row(model_type: str, feature: str, framework: str, tmp_path: Path) -> None:
    config = tiny_config(model_type, feature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the frameworks say while they make a model is not ours
        model = tiny_model(framework, CLASSES[model_type, feature][framework], config)
    declaration = config_factory(model_type, feature)(config)
    file = tmp_path / "model.onnx"
    inputs, outputs = export(None, model, declaration, 18, file)
    assert inputs == list(declaration.inputs)
    assert outputs == list(declaration.outputs)

    backend = get_backend(framework)
    traced = case_inputs(declaration, None, None, framework)
    report = validate(
        file,
        declaration,
        lambda arrays: backend.run(model, declaration, arrays),
        standard_cases(declaration),
        Tolerance(declaration.atol_for_validation),
        framework=framework,
        contract=contract_of(declaration, traced, backend.run(model, declaration, traced)),
    )
    assert report.passed, report.problems
    assert len(report.cases) >= 5
    assert all(output.reference_max > 1e-3 for case in report.cases for output in case.outputs), "nothing to compare"
