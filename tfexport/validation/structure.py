"""The structure of a file: it is well formed, ONNX Runtime loads it at every level, and it keeps its contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from tfexport.errors import abbreviate
from tfexport.graph.contract import Contract, Port
from tfexport.graph.nodes import all_nodes
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import FULL, LEVELS, open_session
from tfexport.text import printable, shortened

_ONNX = ("", "ai.onnx")
_LONGEST_NAME, _LONGEST_REASON = 120, 400
_MOST_PORTS = 100
_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"} | {
    f"tensor({name})": name
    for name in ("float16", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
}
"""NumPy's names of dtypes, by ONNX Runtime's."""


def check_structure(path: Path, contract: Contract | None = None) -> list[str]:
    """Check a file before it computes anything.

    onnx's checker and its strict shape inference accept the file. Every operator of ONNX's own domain exists in the opset that is
    imported. ONNX Runtime loads the file at every level of optimisation. Names, order, dtypes and axes are those of the contract.

    Args:
        path: The ONNX file, beside its external data.
        contract: The contract; None where it is not known.

    Returns:
        One text per problem.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        unknown = _unknown(model)
    except (OSError, DecodeError) as error:
        return [f"it is not an ONNX file that can be read: {_one_line(error)}"]
    except TypeError:  # protobuf returns such a name as bytes
        return ["it is not an ONNX file that can be read: a name in it is not UTF-8"]
    if unknown is not None:
        return [printable(unknown)]
    problems = []
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        problems.append(f"onnx.checker refuses it: {_one_line(error)}")
    for level in LEVELS:
        try:
            session = open_session(path, level)
        except runtime_errors() as error:
            problems.append(f"ONNX Runtime does not load it with optimisations {level}: {_one_line(error)}")
            continue
        if level == FULL and contract is not None:
            broken = broken_contract(session, contract)
            problems += [] if broken is None else [broken]
    return problems


def _unknown(model: onnx.ModelProto) -> str | None:
    """Describe what the installed onnx does not know of a file; None when it knows all."""
    newest = onnx.defs.onnx_opset_version()
    opset = max((entry.version for entry in model.opset_import if entry.domain in _ONNX), default=0)
    if opset > newest:
        return f"it imports opset {opset}; the installed onnx knows opsets up to {newest}"
    ops = sorted(set(_unknown_ops(model)))
    return f"it has ops that its opset does not know: {abbreviate(ops)}" if ops else None


def _unknown_ops(model: onnx.ModelProto) -> Iterator[str]:
    """Yield operators of ONNX's own domain that do not exist in the opset that the file imports."""
    opset = {entry.domain or "": entry.version for entry in model.opset_import}
    version = opset.get("", opset.get("ai.onnx", 0))
    own = {(function.domain, function.name) for function in model.functions}
    for node in all_nodes(model.graph):
        known = node.domain not in _ONNX or (node.domain, node.op_type) in own
        if not known and not onnx.defs.has(node.op_type, version, ""):
            yield f"{_short(node.op_type)} ({_short(node.name) or 'no name'}, opset {version})"
        elif node.domain not in _ONNX and node.domain not in opset and (node.domain, node.op_type) not in own:
            yield f"{_short(node.domain)}.{_short(node.op_type)} ({_short(node.name) or 'no name'}, domain not imported)"


def accepts_other_lengths(session: Any, feeds: Mapping[str, np.ndarray]) -> str | None:
    """Describe an axis that is fixed in a file, and along which the file accepts another length; None when there is none.

    Args:
        session: Session of the file.
        feeds: Inputs that the file accepts.
    """
    for value in session.get_inputs():
        array = feeds[value.name]
        for axis, length in enumerate(value.shape):
            if not isinstance(length, int):
                continue
            longer = np.pad(array, [(0, int(at == axis)) for at in range(array.ndim)])
            try:
                session.run(None, {**feeds, value.name: longer})
            except runtime_errors():
                continue
            return f"axis {axis} of {value.name} is fixed to {length}, and a length of {longer.shape[axis]} is accepted too"
    return None


def returns_other_lengths(session: Any, outputs: Mapping[str, np.ndarray]) -> list[str]:
    """Describe axes of outputs that are fixed in a file, and have another length: ONNX Runtime only warns of them."""
    return [
        f"axis {axis} of {value.name} is fixed to {length}, and other lengths are returned"
        for value in session.get_outputs()
        for axis, (length, found) in enumerate(zip(value.shape, outputs[value.name].shape, strict=False))
        if isinstance(length, int) and found != length
    ]


def dynamic_lengths(session: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the length of each dynamic axis of a file's inputs, by its name, or by its position where it has none."""
    return {
        label if isinstance(label, str) else f"{axis} of {value.name}": feeds[value.name].shape[axis]
        for value in session.get_inputs()
        for axis, label in enumerate(value.shape)
        if not isinstance(label, int)
    }


def broken_contract(session: Any, contract: Contract) -> str | None:
    """Describe how the inputs or outputs of a session differ from the contract; None when they do not."""
    for kind, found, declared in (
        ("inputs", session.get_inputs(), contract.inputs),
        ("outputs", session.get_outputs(), contract.outputs),
    ):
        ports = tuple(Port(value.name, _DTYPES.get(value.type, value.type), tuple(value.shape)) for value in found)
        if ports != declared:
            return f"the file's {kind} are {_show(ports)}; declared were {_show(declared)}"
    return None


def _show(ports: Iterable[Port]) -> str:
    return printable(abbreviate((f"{_short(port.name)} {port.dtype}{list(port.shape)}" for port in ports), _MOST_PORTS))


def _one_line(error: Exception) -> str:
    return printable(shortened(" ".join(str(error).split()), _LONGEST_REASON))


def _short(name: str) -> str:
    return shortened(name, _LONGEST_NAME)
