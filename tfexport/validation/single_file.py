"""Run the cases through the model and through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.graph.contract import Contract, Port
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import open_session
from tfexport.validation.cases import Case, actual_case
from tfexport.validation.comparison import CaseReport, Tolerance, ValidationReport, compare

_ORT_TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"} | {
    f"tensor({name})": name
    for name in ("float16", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}
"""NumPy's names of the dtypes that ONNX Runtime has names of its own for, or the same in brackets."""


class Source(Protocol):
    """What a file is compared with: see `tfexport.validation.reference.Reference`."""

    @property
    def config(self) -> OnnxConfig:
        """The declaration."""

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """The arrays of a case by declared name; a cache as nested sequences."""

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """The model's outputs by name."""


def validate_file(
    path: Path,
    source: Source,
    cases: Iterable[Case],
    tolerance: Tolerance,
    *,
    contract: Contract | None = None,
) -> ValidationReport:
    """Compare a file with its source on every case. One session is made, on the CPU.

    Args:
        path: the ONNX file.
        source: the model that it was made of.
        cases: what to compare on.
        tolerance: what is allowed.
        contract: names, order, dtypes and axes that the session must show; None skips that check.

    Returns:
        The report; failures are in it, not raised.
    """
    try:
        session = open_session(path)
    except runtime_errors() as error:
        return ValidationReport(tolerance, problem=f"ONNX Runtime does not load the file: {error}")
    broken = None if contract is None else broken_contract(session, contract)
    if broken is not None:
        return ValidationReport(tolerance, problem=broken)
    return ValidationReport(tolerance, tuple(_run_case(session, source, case, tolerance, contract) for case in cases))


def _run_case(session: Any, source: Source, case: Case, tolerance: Tolerance, contract: Contract | None) -> CaseReport:
    config = source.config
    inputs = source.inputs(case)
    case = actual_case(config, case, inputs)
    outputs = source.run(inputs)
    expected = {name: outputs[name] for name in config.outputs if name in outputs}
    undeclared = [name for name in config.outputs if name not in outputs]
    if undeclared:
        return CaseReport(case, (), f"the source gives no {', '.join(undeclared)}")
    wrong = None if contract is None else _not_as_declared(contract, expected)
    if wrong is not None:
        return CaseReport(case, (), wrong)
    feeds = flatten_inputs(config, config.generate_dummy_inputs_onnxruntime(inputs))
    try:
        values = session.run(None, feeds)
    except runtime_errors() as error:
        return CaseReport(case, (), f"ONNX Runtime fails: {error}")
    names = [output.name for output in session.get_outputs()]
    return compare(case, expected, dict(zip(names, values, strict=True)), tolerance)


def _not_as_declared(contract: Contract, outputs: Mapping[str, np.ndarray]) -> str | None:
    """How an output of the source has another shape than the file says that it always has; ONNX Runtime only warns of it."""
    for port in contract.outputs:
        shape = outputs[port.name].shape if port.name in outputs else ()
        if any(isinstance(said, int) and said != length for said, length in zip(port.shape, shape, strict=False)):
            return f"{port.name} is declared as {list(port.shape)}, and the source gives {list(shape)}"
    return None


def flatten_inputs(config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What a session is fed: one array a declared name, integers as int64."""
    flat: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        if isinstance(value, (list, tuple)):
            flat.update(config.flatten_output_collection_property(name, value))
        else:
            flat[name] = value
    return {name: value.astype(np.int64) if value.dtype == np.int32 else value for name, value in flat.items()}


def broken_contract(session: Any, contract: Contract) -> str | None:
    """How a session's inputs or outputs are not those promised; None when they are."""
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
