"""Faults to plant into ONNX files that were exported from TensorFlow. Each changes a model in place."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Fault = Callable[[onnx.ModelProto], None]


def weight(name: str) -> Fault:
    """Add 0.01 to one element of a weight."""

    def change(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed.flat[0] += 1e-2
        return changed

    return lambda model: _change(model, name, change)


def transposed(name: str) -> Fault:
    """Transpose a square kernel."""
    return lambda model: _change(model, name, lambda values: np.ascontiguousarray(values.T))


def int8(name: str) -> Fault:
    """Round a weight to 8 bits."""

    def rounded(values: np.ndarray) -> np.ndarray:
        scale = np.abs(values).max() / 127
        return np.asarray(np.round(values / scale) * scale, values.dtype)

    return lambda model: _change(model, name, rounded)


def swapped(first: str, second: str) -> Fault:
    """Swap two weights of the same shape."""

    def plant(model: onnx.ModelProto) -> None:
        found = [_initializer(model, name) for name in (first, second)]
        names = [each.name for each in found]
        found[0].name, found[1].name = names[1], names[0]

    return plant


def epsilon(layer: str, value: float = 1e-5) -> Fault:
    """Replace the epsilon 1e-12 that a layer norm adds to its variance."""

    def plant(model: onnx.ModelProto) -> None:
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        (node,) = (
            node
            for node in model.graph.node
            if node.op_type == "Add"
            and layer in node.name
            and any(constants.get(i, np.ones(2)).size == 1 for i in node.input)
        )
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), "planted_epsilon"))
        at = next(at for at, name in enumerate(node.input) if name in constants)
        assert constants[node.input[at]] == np.float32(1e-12)
        node.input[at] = "planted_epsilon"

    return plant


def tanh_gelu(layer: str) -> Fault:
    """Replace the erf of a GELU by the tanh that approximates it."""

    def plant(model: onnx.ModelProto) -> None:
        place, node = next(
            (at, node) for at, node in enumerate(model.graph.node) if node.op_type == "Erf" and layer in node.name
        )
        constants = {
            "planted_root": np.sqrt(2.0),
            "planted_cubic": 0.044715,
            "planted_scale": np.sqrt(2.0 / np.pi),
        }
        for name, number in constants.items():
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(number, np.float32), name))
        (u,), (result,) = list(node.input), list(node.output)
        nodes = [
            helper.make_node("Mul", [u, "planted_root"], ["planted_x"]),
            helper.make_node("Mul", ["planted_x", "planted_x"], ["planted_x2"]),
            helper.make_node("Mul", ["planted_x2", "planted_x"], ["planted_x3"]),
            helper.make_node("Mul", ["planted_x3", "planted_cubic"], ["planted_c"]),
            helper.make_node("Add", ["planted_x", "planted_c"], ["planted_s"]),
            helper.make_node("Mul", ["planted_s", "planted_scale"], ["planted_t"]),
            helper.make_node("Tanh", ["planted_t"], [result]),
        ]
        model.graph.node.remove(node)
        for offset, each in enumerate(nodes):
            model.graph.node.insert(place + offset, each)

    return plant


def mask_ignored(name: str = "attention_mask") -> Fault:
    """Ignore the mask, so that every token is seen."""

    def plant(model: onnx.ModelProto) -> None:
        _replace_uses(model, name, "planted_ones")
        one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
        model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["planted_shape"], ["planted_ones"], value=one))
        model.graph.node.insert(0, helper.make_node("Shape", [name], ["planted_shape"]))

    return plant


def shifted(name: str) -> Fault:
    """Add 1 to an integer input, so that a past seems longer than it is."""

    def plant(model: onnx.ModelProto) -> None:
        _replace_uses(model, name, "planted_shifted")
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(1, np.int64), "planted_one"))
        model.graph.node.insert(0, helper.make_node("Add", [name, "planted_one"], ["planted_shifted"]))

    return plant


def outputs_swapped(first: str, second: str) -> Fault:
    """Swap the values of two outputs."""

    def plant(model: onnx.ModelProto) -> None:
        names = {first: second, second: first}
        for node in model.graph.node:
            node.output[:] = [names.get(name, name) for name in node.output]
            node.input[:] = [names.get(name, name) for name in node.input]

    return plant


def nan_for_length_1(output: str, tokens: str = "input_ids") -> Fault:
    """Make an output NaN when a row has one token."""

    def plant(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            node.output[:] = ["planted_before" if name == output else name for name in node.output]
            node.input[:] = ["planted_before" if name == output else name for name in node.input]
        for name, value in {
            "planted_at": np.int64(1),
            "planted_length": np.int64(1),
            "planted_nan": np.float32("nan"),
        }.items():
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        model.graph.node.extend(
            [
                helper.make_node("Shape", [tokens], ["planted_sizes"]),
                helper.make_node("Gather", ["planted_sizes", "planted_at"], ["planted_tokens"]),
                helper.make_node("Equal", ["planted_tokens", "planted_length"], ["planted_short"]),
                helper.make_node("Where", ["planted_short", "planted_nan", "planted_before"], [output]),
            ]
        )

    return plant


def _initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    """Return the only initializer whose name ends with `name`."""
    found: onnx.TensorProto
    (found,) = (each for each in model.graph.initializer if re.search(f"{name}$", each.name))
    return found


def _change(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    found = _initializer(model, name)
    values = numpy_helper.to_array(found)
    changed = change(values)
    assert changed.shape == values.shape
    assert not np.array_equal(changed, values)
    found.CopyFrom(numpy_helper.from_array(changed, found.name))


def _replace_uses(model: onnx.ModelProto, name: str, other: str) -> None:
    for node in model.graph.node:
        node.input[:] = [other if each == name else each for each in node.input]
