"""Random cases: file and source agree for every shape, padding, values and seed, and the name of a case describes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfexport import export_checkpoint
from tfexport.parity.frameworks import FrameworkModel, summarise
from tfexport.pipeline.options import export_options
from tfexport.pipeline.preparation import prepare
from tfexport.pipeline.stages import Stages
from tfexport.validation import Case, Reference, validate_file

CASES = st.builds(
    Case,
    batch=st.integers(1, 4),
    sequence=st.integers(1, 24),
    padding=st.sampled_from([None, "left", "right", "to few"]),
    values=st.sampled_from(["drawn", "zeros", "largest", "repeated"]),
    seed=st.integers(0, 3),
)


@pytest.fixture(scope="module")
def exported(
    bert: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Reference, FrameworkModel]:
    """Return a file, and the model that it was exported from."""
    folder = tmp_path_factory.mktemp("properties") / "bert"
    export_checkpoint(bert("h5"), folder)
    model = FrameworkModel(str(bert("h5")), export_options(framework="tf"))
    return folder / "model.onnx", prepare(model.plan(), Stages()).references()["model"], model


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=CASES)
def test_any_case(exported: tuple[Path, Reference, FrameworkModel], case: Case) -> None:
    file, reference, model = exported
    report = validate_file(file, reference, [case], summarise(model).tolerance)
    assert report.passed, report.problems
    again, inputs = reference.inputs(case), reference.inputs(case)
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, again[name])
    assert f"{case.batch}x{case.sequence}" in case.name
    assert (case.values in case.name) == (case.values != "drawn")
