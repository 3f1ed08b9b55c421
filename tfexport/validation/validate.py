"""Run the cases through the model and through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from tfexport.graph.contract import Contract, Port
from tfexport.onnx_config import OnnxConfig
from tfexport.validation.cases import Case, actual_case, case_inputs
from tfexport.validation.comparison import CaseReport, Tolerance, ValidationReport, compare

RUNTIME_ERRORS = (
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
    RuntimeError,
    ValueError,
)

Reference = Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]]

_ORT_TYPES = {
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
}


def validate(
    path: Path,
    config: OnnxConfig,
    reference: Reference,
    cases: Iterable[Case],
    tolerance: Tolerance,
    *,
    framework: str,
    preprocessor: Any = None,
    contract: Contract | None = None,
) -> ValidationReport:
    """Compare a file with its source on every case. One session is made, on the CPU.

    Args:
        path: the ONNX file.
        config: the declaration.
        reference: runs the source model: inputs by name to outputs by name.
        cases: what to compare on.
        tolerance: what is allowed.
        framework: the framework that the declaration makes its inputs for.
        preprocessor: a tokenizer, or None.
        contract: names, order, dtypes and axes that the session must show; None skips that check.

    Returns:
        The report; failures are in it, not raised.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except RUNTIME_ERRORS as error:
        return ValidationReport(tolerance, problem=f"ONNX Runtime does not load the file: {error}")
    broken = None if contract is None else _broken_contract(session, contract)
    if broken is not None:
        return ValidationReport(tolerance, problem=broken)
    reports = tuple(_run_case(session, config, reference, case, tolerance, framework, preprocessor) for case in cases)
    return ValidationReport(tolerance, reports)


def _run_case(
    session: Any,
    config: OnnxConfig,
    reference: Reference,
    case: Case,
    tolerance: Tolerance,
    framework: str,
    preprocessor: Any,
) -> CaseReport:
    inputs = case_inputs(config, preprocessor, case, framework)
    case = actual_case(config, case, inputs)
    outputs = reference(inputs)
    expected = {name: outputs[name] for name in config.outputs if name in outputs}
    undeclared = [name for name in config.outputs if name not in outputs]
    if undeclared:
        return CaseReport(case, (), f"the source gives no {', '.join(undeclared)}")
    feeds = _flatten(config, config.generate_dummy_inputs_onnxruntime(inputs))
    try:
        values = session.run(None, feeds)
    except RUNTIME_ERRORS as error:
        return CaseReport(case, (), f"ONNX Runtime fails: {error}")
    names = [output.name for output in session.get_outputs()]
    return compare(case, expected, dict(zip(names, values, strict=True)), tolerance)


def _flatten(config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        if isinstance(value, (list, tuple)):
            flat.update(config.flatten_output_collection_property(name, value))
        else:
            flat[name] = value
    return {name: value.astype(np.int64) if value.dtype == np.int32 else value for name, value in flat.items()}


def _broken_contract(session: Any, contract: Contract) -> str | None:
    for kind, found, declared in (
        ("inputs", session.get_inputs(), contract.inputs),
        ("outputs", session.get_outputs(), contract.outputs),
    ):
        ports = tuple(Port(v.name, _ORT_TYPES.get(v.type, v.type), tuple(v.shape)) for v in found)
        if ports != declared:
            return f"the file's {kind} are {_show(ports)}; declared were {_show(declared)}"
    return None


def _show(ports: Iterable[Port]) -> str:
    return ", ".join(f"{port.name} {port.dtype}{list(port.shape)}" for port in ports)
