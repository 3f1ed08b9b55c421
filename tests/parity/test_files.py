"""Facts about files beside their errors, of small files that the tests make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import ExportedFiles, run_files
from tfexport.parity.pairs import compare_corners
from tfexport.parity.report import ParityReport, html
from tfexport.parity.run_result import RunResult
from tfexport.validation import Case, Tolerance

TWICE = helper.make_node("Add", ["x", "x"], ["y"])
NOISE = [helper.make_node("RandomNormalLike", ["x"], ["noise"]), helper.make_node("Add", ["x", "noise"], ["y"])]
AXES = ("batch", "sequence")
SHAPES = [(1, 3), (2, 4), (3, 5)]


def report(
    folder: Path, nodes: Sequence[Any], shapes: Sequence[tuple[int, ...]] = SHAPES, output: Sequence[int | str] = AXES
) -> ParityReport:
    """Compare a file that computes ``y`` from ``x (batch, sequence)`` with a source that doubles."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in (("x", AXES), ("y", output)))
    graph = helper.make_graph(list(nodes), "g", [x], [y])
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)
    exchange = Exchange(folder / "exchange")
    for number, shape in enumerate(shapes):
        values = np.ones(shape, np.float32)
        exchange.save_inputs("model", number, {}, {"x": values})
        exchange.save_outputs("model", number, "tf", {"y": 2 * values})
    cases = {"model": tuple(Case(batch, sequence) for batch, sequence in shapes)}
    result = run_files(ExportedFiles({"model": file}), CPU, exchange.folder, "onnx-tf", {"model": range(len(shapes))})
    source = RunResult(cases=cases, spread={"model": {}})
    corners = (Corner(CornerId("tf"), source), Corner(CornerId("tf", "file"), result))
    tolerance = Tolerance(1e-5)
    pairs = tuple(compare_corners(corners, cases, exchange, tolerance))
    return ParityReport("m", "default", "bert", tolerance, corners, cases, pairs)


def test_two_runs_with_the_same_values(tmp_path: Path) -> None:
    found = report(tmp_path, [TWICE])
    assert found.agrees
    assert found.corners[1].result is not None
    assert found.corners[1].result.spread == {"model": {}}
    assert found.notes == ("tf, onnx-tf: two runs return the same values, bit for bit",)


def test_two_runs_with_other_values(tmp_path: Path) -> None:
    found = report(tmp_path, NOISE)
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    error = document["corners"][1]["spread"]["model"]["y"]
    assert 0.01 < error < 10  # of three normal numbers and three others
    sentence = f"onnx-tf: two runs differ by at most {error:.2g} (y)"
    assert document["told"] == ["tf: two runs return the same values, bit for bit", sentence]
    assert f"  {sentence}" in found.lines()
    assert sentence in html(document)
    assert not any("two runs" in problem for problem in found.problems)


def test_runs_that_failed_have_no_sentence(tmp_path: Path) -> None:
    found = report(tmp_path, [helper.make_node("NoSuchOp", ["x"], ["y"])])
    assert found.corners[1].repeat is None
    assert not found.agrees


def test_an_axis_that_no_case_varies_is_a_note_and_not_a_fault(tmp_path: Path) -> None:
    found = report(tmp_path, [TWICE], [(1, 3), (2, 3), (4, 3)])
    assert found.agrees
    (note,) = (text for text in found.notes if "varied" in text)
    assert note == "onnx-tf: model.onnx: axis sequence was never varied: it has the same length in all cases"
    assert found.as_dict()["corners"][1]["unvaried"] == {"model": ["sequence"]}


def test_axes_that_cases_vary_are_not(tmp_path: Path) -> None:
    assert not any("varied" in text for text in report(tmp_path, [TWICE]).notes)


def test_a_dynamic_axis_that_accepts_only_one_length_is_a_fault(tmp_path: Path) -> None:
    """A converter that writes a traced length into the graph does this."""
    nodes = [
        helper.make_node("Constant", [], ["three"], value=helper.make_tensor("v", TensorProto.INT64, [2], [-1, 3])),
        helper.make_node("Reshape", ["x", "three"], ["rows"]),
        helper.make_node("Add", ["rows", "x"], ["y"]),
    ]
    found = report(tmp_path, nodes)
    assert found.corners[1].result is not None
    assert set(found.corners[1].result.problems["model"]) == {1, 2}
    assert not found.agrees


def test_cases_that_a_file_fails_on_vary_nothing(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["three"], value=helper.make_tensor("v", TensorProto.FLOAT, [3], [1, 1, 1])),
        helper.make_node("Add", ["x", "three"], ["y"]),
    ]
    found = report(tmp_path, nodes, [(1, 3), (2, 3), (2, 4)])
    assert any("axis sequence was never varied" in text for text in found.notes)


def test_an_output_that_is_longer_than_the_file_says_is_a_fault(tmp_path: Path) -> None:
    found = report(tmp_path, [TWICE], output=[1, "sequence"])
    assert found.problems == ("onnx-tf, model.onnx: axis 0 of y is fixed to 1, and other lengths are returned",)
