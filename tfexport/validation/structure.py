"""The gate before any number: is the file well formed, does every runtime level load it, does it keep its contract?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from tfexport.graph.contract import Contract
from tfexport.graph.nodes import all_nodes
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import FULL, LEVELS, open_session
from tfexport.validation.single_file import broken_contract

_ONNX = ("", "ai.onnx")


def check_structure(path: Path, contract: Contract | None = None) -> list[str]:
    """What is wrong with a file, before it computes anything.

    The checker and strict shape inference pass it; every op of ONNX's own domain exists in the opset that is imported; ONNX
    Runtime loads it at every level of optimisation; names, order, dtypes and axes are as promised.

    Args:
        path: the ONNX file; its external data lies beside it.
        contract: what it promises; None where nothing is known.

    Returns:
        One text a problem; none for a file that is fine.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        return [f"it is no ONNX file that can be read: {_line(error)}"]
    unknown = sorted(set(_unknown_ops(model)))
    if unknown:
        return [f"it has ops that its opset does not know: {', '.join(unknown)}"]
    problems = []
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        problems.append(f"onnx.checker refuses it: {_line(error)}")
    for level in LEVELS:
        try:
            session = open_session(path, level)
        except runtime_errors() as error:
            problems.append(f"ONNX Runtime does not load it with optimisations {level}: {_line(error)}")
            continue
        if level == FULL and contract is not None:
            broken = broken_contract(session, contract)
            problems += [] if broken is None else [broken]
    return problems


def _unknown_ops(model: onnx.ModelProto) -> Iterator[str]:
    """Ops of ONNX's own domain that do not exist in the opset that the file imports."""
    opset = {entry.domain or "": entry.version for entry in model.opset_import}
    version = opset.get("", opset.get("ai.onnx", 0))
    own = {(function.domain, function.name) for function in model.functions}
    for node in all_nodes(model.graph):
        known = node.domain not in _ONNX or (node.domain, node.op_type) in own
        if not known and not onnx.defs.has(node.op_type, version, ""):
            yield f"{node.op_type} ({node.name or 'no name'}, opset {version})"
        elif node.domain not in _ONNX and node.domain not in opset and (node.domain, node.op_type) not in own:
            yield f"{node.domain}.{node.op_type} ({node.name or 'no name'}, domain not imported)"


def takes_other_lengths(session: Any, feeds: Mapping[str, np.ndarray]) -> str | None:
    """An axis that a file says is fixed, and along which it takes another length all the same; None when there is none.

    Args:
        session: of the file.
        feeds: inputs that it takes.
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
            return f"axis {axis} of {value.name} is fixed to {length}, and {longer.shape[axis]} are taken all the same"
    return None


def gives_other_lengths(session: Any, outputs: Mapping[str, np.ndarray]) -> list[str]:
    """Axes of outputs that a file says are fixed, and that come out longer or shorter: ONNX Runtime warns, and goes on."""
    return [
        f"axis {axis} of {value.name} is said to be fixed to {length}, and other lengths come out"
        for value in session.get_outputs()
        for axis, (length, found) in enumerate(zip(value.shape, outputs[value.name].shape, strict=False))
        if isinstance(length, int) and found != length
    ]


def dynamic_lengths(session: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The length that each dynamic axis of a file's inputs has in some feeds, by its name, or by its place where it has none."""
    return {
        label if isinstance(label, str) else f"{axis} of {value.name}": feeds[value.name].shape[axis]
        for value in session.get_inputs()
        for axis, label in enumerate(value.shape)
        if not isinstance(label, int)
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
