"""The gate: what is wrong with a file before it computes anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import hostile_onnx
from tfexport.graph.contract import Contract, Port
from tfexport.runtime.sessions import open_session
from tfexport.validation.structure import accepts_other_lengths, check_structure, returns_other_lengths

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
    assert "x float32['batch', 4]" in problem
    assert "x float32['rows', 4]" in problem


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a"])
def test_no_model_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert check_structure(path)


def test_fixed_axes_refuse_other_lengths(tmp_path: Path) -> None:
    session = open_session(write(tmp_path / "m.onnx"))
    assert accepts_other_lengths(session, {"x": np.ones((2, 4), np.float32)}) is None


def test_a_fixed_axis_along_which_anything_is_taken() -> None:
    """ONNX Runtime refuses it of any file; what runs a file may be another."""

    class Lenient:
        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="x", shape=["batch", 4])]

        def run(self, names: None, feeds: dict[str, np.ndarray]) -> None:
            assert feeds["x"].shape[0] == 2  # a dynamic axis is left as it is

    found = accepts_other_lengths(Lenient(), {"x": np.ones((2, 4), np.float32)})
    assert found == "axis 1 of x is fixed to 4, and a length of 5 is accepted too"


@pytest.mark.parametrize(("promised", "real"), [(4, "sequence"), ("sequence", 4)])
def test_an_axis_is_dynamic_if_and_only_if_that_is_promised(
    tmp_path: Path, promised: int | str, real: int | str
) -> None:
    path = write(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", real]))
    onnx.save(model, str(path))
    (problem,) = check_structure(path, Contract((Port("x", "float32", ("batch", promised)),), CONTRACT.outputs))
    assert f"x float32['batch', {real!r}]; declared were x float32['batch', {promised!r}]" in problem


def test_an_output_that_is_not_as_long_as_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", helper.make_node("Concat", ["x", "x"], ["y"], axis=0))
    model = onnx.load(str(path))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4]))
    onnx.save(model, str(path))
    session = open_session(path)
    one, two = ({"y": session.run(None, {"x": np.ones((rows, 4), np.float32)})[0]} for rows in (1, 2))
    assert returns_other_lengths(session, one) == []
    assert returns_other_lengths(session, two) == ["axis 0 of y is fixed to 2, and other lengths are returned"]


@pytest.mark.parametrize("name", hostile_onnx.BROKEN)
def test_a_file_that_no_runtime_accepts(name: str, tmp_path: Path) -> None:
    problems = check_structure(hostile_onnx.write(hostile_onnx.BROKEN[name](), tmp_path / "m.onnx"))
    assert problems
    for problem in problems:
        assert problem.isprintable()
        assert len(problem) < 600


@pytest.mark.parametrize("name", hostile_onnx.BYTES)
def test_a_file_that_is_not_a_model(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(hostile_onnx.BYTES[name])
    problems = check_structure(tmp_path / "m.onnx")
    assert problems
    assert all(problem.isprintable() for problem in problems)


@pytest.mark.parametrize("make", [hostile_onnx.sound, hostile_onnx.endless, hostile_onnx.huge])
def test_loading_a_file_computes_nothing_of_it(make: Any, tmp_path: Path) -> None:
    assert check_structure(hostile_onnx.write(make(), tmp_path / "m.onnx")) == []
