"""The zoo's report, and that the committed report belongs to this registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.zoo import report
from conformance.zoo.rows import Result, Row, rows
from tfexport.checkpoints.framework import FRAMEWORKS

PASSED = Result(passed=True, opset=18, cases=5, padded_cases=2, max_abs_error=3.21e-6, max_rel_error=1e-6, seconds=1.0)
FAILED = Result(passed=False, problem="ConversionError: no | more")
ROWS = [
    Row("bert", "default", "pt", "BertModel"),
    Row("bert", "default", "tf", "TFBertModel"),
    Row("bert", "ctc", "tf", "TFBertForCTC"),
]
RESULTS = {ROWS[0].name: PASSED, ROWS[1].name: PASSED, ROWS[2].name: FAILED}


def test_the_summary_counts_and_lists() -> None:
    assert report.summary(ROWS, RESULTS).splitlines() == [
        "PyTorch: 1 of 1",
        "TensorFlow: 1 of 2",
        "PyTorch, of transformers.onnx: 1 of 1",
        "TensorFlow, of transformers.onnx: 1 of 1",
        "bert/ctc/tf: ConversionError: no | more",
    ]


def test_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "zoo.json")
    monkeypatch.setattr(report, "SUPPORT", tmp_path / "SUPPORT.md")
    report.write(ROWS, RESULTS)
    document = report.read()
    assert document["passed"] == {"pt": "1 of 1", "tf": "1 of 2"}
    assert [row["passed"] for row in document["rows"]] == [True, True, False]
    table = (tmp_path / "SUPPORT.md").read_text()
    assert "| bert | default | 18, 3.2e-06 | 18, 3.2e-06 |" in table
    assert "| bert | ctc | **fails** | - |" in table
    assert "| bert / ctc / TensorFlow | ConversionError: no \\| more |" in table
    assert "| flaubert | causal-lm | both | transformers has no such class in either framework. |" in table


def test_the_seed_is_the_whole_table() -> None:
    """``transformers.onnx`` has 265 pairs, of which 36 have past."""
    assert len(report.seed()) == 265
    assert sum(feature.endswith("-with-past") for _, feature in report.seed()) == 36


class TestCommitted:
    """The results of `make zoo` are for this registry, and the committed table is made from them."""

    def test_every_row_is_in_it_once(self) -> None:
        of_run = [
            (row["model_type"], row["feature"], row["framework"], row["model_class"]) for row in report.read()["rows"]
        ]
        assert of_run == [(row.model_type, row.feature, row.framework, row.model_class) for row in rows()]

    def test_the_table_is_made_of_it(self) -> None:
        assert report.SUPPORT.read_text() == report.render(report.read())

    def test_its_rows_were_compared_on_enough_cases(self) -> None:
        for row in report.read()["rows"]:
            assert not row["passed"] or (row["cases"] >= 3 and row["opset"] >= 18), row

    def test_every_pair_of_the_seed_is_a_row_in_each_framework_with_a_class(self) -> None:
        known = {(row.model_type, row.feature) for row in rows()}
        assert report.seed() - known == {("flaubert", "causal-lm")}
        for framework in FRAMEWORKS:
            assert report.read()["passed_of_the_seed"][framework]
