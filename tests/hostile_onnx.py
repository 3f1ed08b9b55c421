"""ONNX files that hold up, crash or mislead what reads them: made for the tests of validation and of the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


def model(
    nodes: list[onnx.NodeProto], *, tensors: dict[str, np.ndarray] | None = None, **more: object
) -> onnx.ModelProto:
    """A model that takes ``x`` (batch, 4) and returns ``y``."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(value, name) for name, value in (tensors or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, **more)


def sound() -> onnx.ModelProto:
    return model([helper.make_node("Identity", ["x"], ["y"])])


def endless() -> onnx.ModelProto:
    """A loop of 2**62 steps."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["value", "value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    steps = {"steps": np.array(2**62, np.int64), "always": np.array(True)}
    return model([helper.make_node("Loop", ["steps", "always", "x"], ["y"], body=body)], tensors=steps)


def huge(length: int = 2**40) -> onnx.ModelProto:
    """A tensor of so many elements."""
    return model(
        [
            helper.make_node("Expand", ["one", "shape"], ["wide"]),
            helper.make_node("ReduceSum", ["wide"], ["sum"], keepdims=0),
            helper.make_node("Add", ["x", "sum"], ["y"]),
        ],
        tensors={"one": np.ones(1, np.float32), "shape": np.array([length], np.int64)},
    )


def cyclic() -> onnx.ModelProto:
    return model([helper.make_node("Add", ["x", "y"], ["z"]), helper.make_node("Identity", ["z"], ["y"])])


def twice() -> onnx.ModelProto:
    return model([helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])])


def unknown_op() -> onnx.ModelProto:
    return model([helper.make_node("\x1b]0;owned\x07" + "o" * 100_000, ["x"], ["y"])])


def unknown_domain() -> onnx.ModelProto:
    return model([helper.make_node("Evil", ["x"], ["y"], domain="ai.evil")])


def future_opset() -> onnx.ModelProto:
    made = sound()
    made.opset_import[0].version = 2**31
    return made


def calls_itself() -> onnx.ModelProto:
    """Two functions that call each other."""
    imports = [helper.make_opsetid("own", 1), helper.make_opsetid("", OPSET)]
    functions = [
        helper.make_function("own", name, ["a"], ["b"], [helper.make_node(other, ["a"], ["b"], domain="own")], imports)
        for name, other in (("first", "second"), ("second", "first"))
    ]
    made = model([helper.make_node("first", ["x"], ["y"], domain="own")], functions=functions)
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made


def outside(location: str) -> onnx.ModelProto:
    """Weights in another file."""
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], tensors={"w": np.ones(4, np.float32)})
    (weights,) = made.graph.initializer
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    return made


def promises() -> onnx.ModelProto:
    """A weight of 2**31 by 2**31 elements, without a byte of them."""
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], tensors={"w": np.ones(4, np.float32)})
    made.graph.initializer[0].dims[:] = [2**31, 2**31]
    return made


def write(made: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


BROKEN: dict[str, Callable[[], onnx.ModelProto]] = {
    "cyclic": cyclic,
    "twice": twice,
    "unknown op": unknown_op,
    "unknown domain": unknown_domain,
    "future opset": future_opset,
    "calls itself": calls_itself,
    "absolute data": lambda: outside("/etc/passwd"),
    "data above": lambda: outside("../../etc/passwd"),
    "no data": lambda: outside("missing.bin"),
    "data of a name": lambda: outside("a\0b"),
    "promises": promises,
}
"""Models that no runtime may accept."""

BYTES: dict[str, bytes] = {
    "empty": b"",
    "noise": bytes(range(256)) * 16,
    "truncated": sound().SerializeToString()[:-20],
    "not UTF-8": sound().SerializeToString().replace(b"Identity", b"Ident\xff\xfe\xfd"),
    "a text": b"version https://git-lfs.github.com/spec/v1\n",
}
"""Contents of files that are not models."""
