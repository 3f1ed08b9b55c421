"""The gate: what is wrong with a file before it computes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tfexport.graph.contract import Contract, Port
from tfexport.validation.structure import check_structure, takes_other_lengths
from tfexport.validation.validate import open_session

CONTRACT = Contract((Port("x", "float32", ("batch", 4)),), (Port("y", "float32", ("batch", 3)),))


def write(path: Path, *nodes: Any, opset: int = 18, **weights: np.ndarray) -> Path:
    """``y (batch, 3)`` of ``x (batch, 4)``."""
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [
            numpy_helper.from_array(value, name)
            for name, value in ({"w": np.ones((4, 3), np.float32)} | weights).items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    return path


def test_a_sound_file(tmp_path: Path) -> None:
    assert check_structure(write(tmp_path / "m.onnx"), CONTRACT) == []


def test_an_op_that_the_opset_does_not_know(tmp_path: Path) -> None:
    made = [helper.make_node("Erfc", ["x"], ["e"], name="gelu"), helper.make_node("MatMul", ["e", "w"], ["y"])]
    assert check_structure(write(tmp_path / "m.onnx", *made)) == [
        "it has ops that its opset does not know: Erfc (gelu, opset 18)"
    ]
    later = [helper.make_node("Gelu", ["x"], ["e"], name="gelu"), helper.make_node("MatMul", ["e", "w"], ["y"])]
    assert "Gelu (gelu, opset 18)" in check_structure(write(tmp_path / "m.onnx", *later))[0]
    assert check_structure(write(tmp_path / "m.onnx", *later, opset=20)) == []


def test_an_op_within_a_branch(tmp_path: Path) -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
        return helper.make_graph([helper.make_node(op, ["p"], [name], name=f"{name} node")], name, [], [value])

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Relu"), else_branch=branch("b", "Nothing")),
    ]
    assert "Nothing (b node, opset 18)" in check_structure(write(tmp_path / "m.onnx", *nodes, c=np.array(True)))[0]


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    problems = check_structure(write(tmp_path / "m.onnx", w=np.ones((5, 3), np.float32)))
    assert problems[0].startswith("onnx.checker refuses it")
    assert sum("does not load it with optimisations" in problem for problem in problems) == 4


def test_a_promise_that_is_not_kept(tmp_path: Path) -> None:
    renamed = Contract((Port("x", "float32", ("rows", 4)),), CONTRACT.outputs)
    (problem,) = check_structure(write(tmp_path / "m.onnx"), renamed)
    assert "x float32['batch', 4]" in problem and "x float32['rows', 4]" in problem


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a"])
def test_no_model_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert check_structure(path)


def test_fixed_axes_refuse_other_lengths(tmp_path: Path) -> None:
    session = open_session(write(tmp_path / "m.onnx"))
    assert takes_other_lengths(session, {"x": np.ones((2, 4), np.float32)}) is None
