"""The judge of exported Keras and TensorFlow models, tried on files made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.plain_models import __main__ as main
from conformance.plain_models.judge import agreement, paired_names, structure, wrong_axes, wrong_names
from conformance.plain_models.report import table
from conformance.plain_models.spec import Input, PlainModel

Shape = list[int | str | None]
DOUBLE = PlainModel(
    "double",
    dict,
    {"numbers": Input(("batch", 4)), "mask": Input(("batch", 4), "mask")},
    {"twice": ("batch", 4), "sum": ("batch", 4)},
    ({"batch": 2}, {"batch": 3}),
)


def double_file(
    folder: Path,
    names: tuple[str, str, str, str] = ("numbers", "mask", "twice", "sum"),
    batch: str | int | None = "batch",
    factor: float = 2.0,
    kind: int = TensorProto.INT32,
) -> Path:
    """Twice the numbers; and those and the mask together, in a branch."""
    numbers, mask, twice, total = names
    shape: Shape = [batch, 4]

    def value(name: str, dtype: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, dtype, shape)

    branches = [
        helper.make_graph([helper.make_node("Add", [numbers, "kept"], [name])], name, [], [value(name)])
        for name in ("then", "else")
    ]
    nodes = [
        helper.make_node("Mul", [numbers, "factor"], [twice]),
        helper.make_node("Cast", [mask], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("If", ["always"], [total], then_branch=branches[0], else_branch=branches[1]),
    ]
    weights = [
        numpy_helper.from_array(np.array(factor, np.float32), "factor"),
        numpy_helper.from_array(np.array(True), "always"),
    ]
    graph = helper.make_graph(
        nodes, "double", [value(numbers), value(mask, kind)], [value(twice), value(total)], weights
    )
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)
    return file


def references() -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    cases = [DOUBLE.arrays(case) for case in range(len(DOUBLE.cases))]
    return [
        (case, {"twice": 2 * case["numbers"], "sum": case["numbers"] + case["mask"].astype(np.float32)})
        for case in cases
    ]


def test_a_right_file(tmp_path: Path) -> None:
    file = double_file(tmp_path)
    seen = structure(file, DOUBLE)
    assert seen["names"] == seen["axes"] == []
    assert seen["nodes"] == 5  # those of both branches too
    assert seen["loops"] == seen["recurrent"] == 0
    told = agreement(file, DOUBLE, references())
    assert told.pop("nodes_run") == 3  # of an If that always takes one branch its node is left
    assert told == {"loads": True, "matches": True, "cases": 2, "max_error": 0.0, "problems": []}


def test_a_file_with_other_names_and_dtypes_is_still_compared(tmp_path: Path) -> None:
    file = double_file(tmp_path, ("serving_default_numbers:0", "args_1", "Identity:0", "Identity_1:0"), None, kind=7)
    seen = structure(file, DOUBLE)
    assert seen["names"] == [
        "serving_default_numbers:0 for numbers",
        "args_1 for mask",
        "Identity:0 for twice",
        "Identity_1:0 for sum",
    ]
    assert len(seen["axes"]) == 4
    assert agreement(file, DOUBLE, references())["matches"]


def test_an_error_beyond_the_tolerance(tmp_path: Path) -> None:
    told = agreement(double_file(tmp_path, factor=2.001), DOUBLE, references())
    assert told["loads"] and not told["matches"]
    assert 1e-4 < told["max_error"] < 1e-2
    assert "[batch 2] twice: differs by" in told["problems"][0]


def test_a_fixed_batch_fails_on_another(tmp_path: Path) -> None:
    file = double_file(tmp_path, batch=2)
    assert "axis 0 of numbers is fixed at 2" in structure(file, DOUBLE)["axes"]
    told = agreement(file, DOUBLE, references())
    assert not told["matches"] and [problem[:9] for problem in told["problems"]] == ["[batch 3]"]


def test_a_file_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    told = agreement(tmp_path / "model.onnx", DOUBLE, references())
    assert not told["loads"] and told["load_problem"]


def test_recurrent_operators_and_loops_are_counted(tmp_path: Path) -> None:
    nodes = [helper.make_node("GRU", ["x", "w", "r"], ["", "h"], hidden_size=1), helper.make_node("Scan", ["h"], ["y"])]
    graph = helper.make_graph(nodes, "recurrent", [], [])
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    seen = structure(tmp_path / "model.onnx", DOUBLE)
    assert (seen["recurrent"], seen["loops"], seen["nodes"]) == (1, 1, 2)
    assert "nothing for numbers" in seen["names"]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (["batch", "time", 8], []),
        (["unk__12", "time", 8], ["axis 0 of x has no name"]),
        ([None, "", 8], ["axis 0 of x has no name", "axis 1 of x has no name"]),
        (["batch", 5, 8], ["axis 1 of x is fixed at 5"]),
        (["batch", "time", "unk__3"], ["axis 2 of x is unk__3, and always 8"]),
        (["batch", "time", None], ["axis 2 of x is open, and always 8"]),
        ([], ["x has 0 axes of 3"]),
    ],
)
def test_axes(found: Shape, wrong: list[str]) -> None:
    assert wrong_axes({"x": ("batch", "sequence", 8)}, {"x": found}) == wrong


def test_names_are_paired_by_what_they_hold_then_by_order() -> None:
    own, found = ["note", "onset", "ids"], ["StatefulPartitionedCall:1", "onset:0", "serving_default_ids:0"]
    assert paired_names(own, found) == {"onset": "onset:0", "ids": "serving_default_ids:0", "note": found[0]}
    assert wrong_names(dict.fromkeys(own), dict.fromkeys([*own, "more"])) == ["more for nothing"]


def test_the_best_way_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = {"loads": True, "matches": True, "names": [], "axes": ["one"], "loops": 0, "problems": []}
    outcomes = iter([{"failed": "ValueError: no"}, right, {**right, "matches": False, "axes": [], "problems": ["far"]}])
    monkeypatch.setattr(main, "attempts", lambda tool, model: [["a"], ["b"], ["c"]])
    monkeypatch.setattr(main, "attempt", lambda *arguments: next(outcomes))
    told = main.best(0, "tf2onnx", tmp_path, {})
    assert told["way"] == "b"
    assert told["other_ways"] == [
        {"way": "a", "outcome": "ValueError: no"},
        {"way": "c", "outcome": "does not match: far"},
    ]


def test_a_row_takes_the_place_of_the_earlier_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(main, "RESULTS", tmp_path / "results.json")
    row = {"model": "GRU", "tool": "keras", "applies": True, "recurrent_layers": 2, "way": "", "failed": "crashed"}
    main.keep(row)
    main.keep({**row, "tool": "tfexport", "failed": "old"})
    main.keep({**row, "tool": "tfexport", "failed": "new"})
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(each["tool"], each["failed"]) for each in results["rows"]] == [("tfexport", "new"), ("keras", "crashed")]
    text = table(results)
    assert "- GRU, tfexport: new" in text and "| GRU | tfexport | **no** |" in text
    assert "stock tf2onnx: of 0 models" in text


def test_results_do_not_tell_folders() -> None:
    assert main.without_paths("ValueError: no /tmp/made/model.onnx", "/tmp/made") == "ValueError: no .../model.onnx"
