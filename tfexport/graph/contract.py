"""The contract of a file: names, order, dtypes and named axes of inputs and outputs are the declaration's.

The file does not depend on the framework that it came from: integer inputs are int64, undeclared outputs are removed, and axes
that the declaration does not name are static.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs.sizes import Axes
from tfexport.errors import ContractError

Dimension = int | str


@dataclass(frozen=True)
class Port:
    """One input or output of a file.

    Attributes:
        name: Declared name.
        dtype: NumPy's name of the dtype.
        shape: One entry per axis: its name when it is dynamic, else its length.
    """

    name: str
    dtype: str
    shape: tuple[Dimension, ...]


@dataclass(frozen=True)
class Contract:
    """Inputs and outputs of a file, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def contract_of(config: OnnxConfig, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> Contract:
    """Return the contract of a declaration, with the static lengths and the dtypes of one run of the model.

    Args:
        config: The declaration.
        inputs: The arrays of that run; int32 counts as int64.
        outputs: The outputs of the model for these inputs.

    Raises:
        ContractError: A declared input or output is missing, or has fewer axes than declared.
    """
    return Contract(
        inputs=tuple(_port(name, axes, inputs, "input") for name, axes in config.inputs.items()),
        outputs=tuple(_port(name, axes, outputs, "output") for name, axes in config.outputs.items()),
    )


def apply_contract(model: ir.Model, contract: Contract) -> None:
    """Order, check and label the inputs and outputs of a graph, in place.

    Raises:
        ContractError: A name is missing, or a dtype or a rank differs.
    """
    graph = model.graph
    inputs = {str(value.name): value for value in graph.inputs}
    for port in contract.inputs:
        # A declared input that no node reads stays an input: clients feed it.
        inputs.setdefault(port.name, ir.Value(name=port.name))
    outputs = {str(value.name): value for value in graph.outputs}
    _check_names("input", inputs, contract.inputs)
    _check_names("output", outputs, contract.outputs)
    graph.inputs.clear()
    graph.inputs.extend(_label(inputs[port.name], port) for port in contract.inputs)
    graph.outputs.clear()
    graph.outputs.extend(_label(outputs[port.name], port) for port in contract.outputs)
    _forget_symbols(model)


def _port(name: str, axes: Axes, arrays: Mapping[str, np.ndarray], kind: str) -> Port:
    if name not in arrays:
        raise ContractError(f"the declared {kind} {name!r} is not among {', '.join(arrays)}.")
    array = arrays[name]
    if any(axis >= array.ndim for axis in axes):
        raise ContractError(f"the {kind} {name!r} has {array.ndim} axes; the declaration names axis {max(axes)}.")
    dtype = "int64" if kind == "input" and array.dtype == np.int32 else array.dtype.name  # what clients feed ids as
    return Port(name, dtype, tuple(axes.get(axis, length) for axis, length in enumerate(array.shape)))


def _check_names(kind: str, found: Mapping[str, ir.Value], ports: tuple[Port, ...]) -> None:
    declared = {port.name for port in ports}
    if set(found) != declared:
        raise ContractError(
            f"the graph's {kind}s are {', '.join(found) or 'none'}; the declaration's are {', '.join(sorted(declared))}."
        )


def _label(value: ir.Value, port: Port) -> ir.Value:
    dtype = ir.DataType.from_numpy(np.dtype(port.dtype))
    if value.dtype is not None and value.dtype != dtype:
        raise ContractError(f"{port.name!r} is {value.dtype.name} in the graph; {dtype.name} was declared.")
    if value.shape is not None and len(value.shape) != len(port.shape):
        raise ContractError(f"{port.name!r} has {len(value.shape)} axes in the graph; {len(port.shape)} were declared.")
    value.type = ir.TensorType(dtype)
    value.shape = ir.Shape(port.shape)
    return value


def _forget_symbols(model: ir.Model) -> None:
    """Remove the converters' shapes of intermediate values: their symbols (unk__7, s77) have no meaning here."""
    boundary = {id(value) for value in (*model.graph.inputs, *model.graph.outputs)}
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if id(value) not in boundary and value.shape is not None and not value.shape.is_static():
                value.shape = None
