"""Judges an ONNX file of any tool: names, axes, operators, and outputs on shapes that were not traced."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from conformance.plain_models.spec import Axis, PlainModel
from tfexport.runtime.errors import import_runtime
from tfexport.runtime.sessions import session_options
from tfexport.validation import Tolerance, compare_output

ATOL = 1e-5
RECURRENT = ("LSTM", "GRU", "RNN")
LOOPS = ("Loop", "Scan")
_UNKNOWN = re.compile(r"unk__\d+")
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def structure(file: Path, model: PlainModel) -> dict[str, Any]:
    """Inspect a file without running it.

    Returns:
        - ``inputs`` and ``outputs``: Axes in the file, by name.
        - ``names`` and ``axes``: Faults of the names and axes; empty when there are none.
        - ``nodes``, ``loops`` and ``recurrent``: Counts, including nodes in branches and loops.
    """
    graph = onnx.load(file, load_external_data=False).graph
    inputs, outputs = _axes(graph.input), _axes(graph.output)
    counts = Counter(node.op_type for node in _nodes(graph))
    declared_inputs = {name: each.axes for name, each in model.inputs.items()}
    return {
        "inputs": inputs,
        "outputs": outputs,
        "names": [*wrong_names(model.inputs, inputs), *wrong_names(model.outputs, outputs)],
        "axes": [*wrong_axes(declared_inputs, inputs), *wrong_axes(model.outputs, outputs)],
        "nodes": counts.total(),
        "loops": sum(counts[kind] for kind in LOOPS),
        "recurrent": sum(counts[kind] for kind in RECURRENT),
    }


def wrong_names(own: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the names in a file that differ from the model's, each in the form ``found for own``."""
    paired = paired_names(list(own), list(found))
    wrong = [f"{other} for {name}" for name, other in paired.items() if name != other]
    wrong += [f"nothing for {name}" for name in own if name not in paired]
    return wrong + [f"{other} for nothing" for other in found if other not in paired.values()]


def paired_names(own: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Pair each name of the model with a name in the file: an equal one, else one that contains it, else the next free one."""
    paired = {name: name for name in own if name in found}
    for name in own:
        if name not in paired:
            free = [other for other in found if other not in paired.values()]
            alike = [other for other in free if re.search(rf"(^|[^a-z0-9]){re.escape(name)}(:\d+)?$", other)]
            if len(alike) == 1:
                paired[name] = alike[0]
    left = [other for other in found if other not in paired.values()]
    missing = [name for name in own if name not in paired]
    return paired | dict(zip(missing, left, strict=False))


def wrong_axes(own: Mapping[str, Sequence[Axis]], found: Mapping[str, Sequence[int | str | None]]) -> list[str]:
    """Return the axes in a file that differ from the model's: dynamic ones that are unnamed or fixed, fixed ones left open."""
    wrong = []
    for name, other in paired_names(list(own), list(found)).items():
        axes, seen = own[name], found[other]
        if len(axes) != len(seen):
            wrong.append(f"{other} has {len(seen)} axes of {len(axes)}")
            continue
        for index, (axis, length) in enumerate(zip(axes, seen, strict=True)):
            where = f"axis {index} of {other}"
            if isinstance(axis, int):
                if length != axis:
                    wrong.append(f"{where} is {length or 'open'}, and always {axis}")
            elif isinstance(length, int):
                wrong.append(f"{where} is fixed at {length}")
            elif not length or _UNKNOWN.fullmatch(length):
                wrong.append(f"{where} has no name")
    return wrong


def agreement(
    file: Path, model: PlainModel, cases: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]
) -> dict[str, Any]:
    """Run a file in ONNX Runtime, and compare its outputs.

    Args:
        file: The file.
        model: The model that it was made from.
        cases: Inputs and outputs of the source model.

    Returns:
        - ``loads``: Whether the file loads; with ``load_problem`` if it does not.
        - ``matches``: Whether every output of every case is within 1e-5 plus 2e-5 of its largest magnitude.
        - ``cases``: Number of cases.
        - ``max_error``: Largest error; None when no output could be compared.
        - ``problems``: Problems of the cases, each with the lengths of the case.
        - ``nodes_run``: Number of nodes that remain after ONNX Runtime has folded constants and fused operators.
    """
    options = session_options(threads=1)
    options.log_severity_level = 4
    optimised = file.with_name("optimised.onnx")
    options.optimized_model_filepath = str(optimised)
    try:
        session = import_runtime().InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except _errors() as error:
        return {"loads": False, "load_problem": _line(error)}
    errors: list[float] = []
    problems = []
    for lengths, (arrays, reference) in zip(model.cases, cases, strict=True):
        case = ", ".join(f"{name} {length}" for name, length in lengths.items())
        found = run(session, arrays, list(reference))
        if isinstance(found, str):
            problems.append(f"[{case}] {found}")
            continue
        for name, values in reference.items():
            if name not in found:
                problems.append(f"[{case}] {name} is missing")
                continue
            report = compare_output(name, values, found[name], Tolerance(ATOL))
            if np.isfinite(report.max_abs_error):
                errors.append(report.max_abs_error)
            if report.problem:
                problems.append(f"[{case}] {name}: {report.problem}")
    return {
        "loads": True,
        "matches": not problems,
        "cases": len(cases),
        "max_error": max(errors, default=None),
        "problems": problems,
        "nodes_run": sum(1 for _ in _nodes(onnx.load(optimised, load_external_data=False).graph)),
    }


def run(session: Any, arrays: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray] | str:
    """Return the outputs of a file by the names of the model, or the error when it fails."""
    values = {value.name: value for value in session.get_inputs()}
    feeds: dict[str, np.ndarray] = {
        other: arrays[name].astype(_DTYPES[values[other].type])
        for name, other in paired_names(list(arrays), list(values)).items()
    }
    own = [value.name for value in session.get_outputs()]
    try:
        made = dict(zip(own, session.run(None, feeds), strict=True))
    except _errors() as error:
        return _line(error)
    return {name: made[other] for name, other in paired_names(outputs, own).items()}


def _axes(values: Any) -> dict[str, list[int | str | None]]:
    return {
        value.name: [
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
            for dim in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _nodes(inner)


def _errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (*kinds, RuntimeError, ValueError)


def _line(error: Exception) -> str:
    return re.sub(r"Load model from \S+ failed:", "", " ".join(str(error).split()))[:400]
