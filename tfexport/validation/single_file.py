"""Compare one file with its reference: each case goes through the model and through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.graph.contract import Contract
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import open_session
from tfexport.validation.cases import Case
from tfexport.validation.comparison import compare
from tfexport.validation.inputs import actual_case, flatten_inputs
from tfexport.validation.reference import FileReference
from tfexport.validation.reports import CaseReport, ValidationReport
from tfexport.validation.structure import broken_contract
from tfexport.validation.tolerance import Tolerance


def validate_file(
    path: Path,
    reference: FileReference,
    cases: Iterable[Case],
    tolerance: Tolerance,
    *,
    contract: Contract | None = None,
) -> ValidationReport:
    """Compare a file with its reference on every case, in one session on the CPU.

    Args:
        path: The ONNX file.
        reference: The model that the file was made from.
        cases: The cases.
        tolerance: The tolerance.
        contract: Names, order, dtypes and axes of the file; None skips that check.

    Returns:
        The report. Disagreements are in it, and are not raised.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
    """
    try:
        session = open_session(path)
    except runtime_errors() as error:
        return ValidationReport(tolerance, problem=f"ONNX Runtime does not load the file: {error}")
    broken = None if contract is None else broken_contract(session, contract)
    if broken is not None:
        return ValidationReport(tolerance, problem=broken)
    return ValidationReport(
        tolerance, tuple(_run_case(session, reference, case, tolerance, contract) for case in cases)
    )


def _run_case(
    session: Any, reference: FileReference, case: Case, tolerance: Tolerance, contract: Contract | None
) -> CaseReport:
    config = reference.config
    inputs = reference.inputs(case)
    case = actual_case(config, case, inputs)
    outputs = reference.run(inputs)
    expected = {name: outputs[name] for name in config.outputs if name in outputs}
    missing = [name for name in config.outputs if name not in outputs]
    if missing:
        return CaseReport(case, (), f"the source does not return {', '.join(missing)}")
    other_shape = None if contract is None else _other_shape(contract, expected)
    if other_shape is not None:
        return CaseReport(case, (), other_shape)
    feeds = flatten_inputs(config, config.generate_dummy_inputs_onnxruntime(inputs))
    try:
        values = session.run(None, feeds)
    except runtime_errors() as error:
        return CaseReport(case, (), f"ONNX Runtime fails: {error}")
    names = [output.name for output in session.get_outputs()]
    return compare(case, expected, dict(zip(names, values, strict=True)), tolerance)


def _other_shape(contract: Contract, outputs: Mapping[str, np.ndarray]) -> str | None:
    """Describe an output of the source whose shape the file rules out, of which ONNX Runtime only warns; None for none."""
    for port in contract.outputs:
        shape = outputs[port.name].shape if port.name in outputs else ()
        if any(isinstance(fixed, int) and fixed != length for fixed, length in zip(port.shape, shape, strict=False)):
            return f"{port.name} is declared as {list(port.shape)}, and the source returns {list(shape)}"
    return None
