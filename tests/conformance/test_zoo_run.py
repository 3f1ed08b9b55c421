"""The runner: selection, the journal, and a Dask cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.zoo import run as zoo
from conformance.zoo.isolation import Limits
from conformance.zoo.rows import Result, Row, rows
from conformance.zoo.run import Journal, select
from tests import support

SMALL = [row for row in rows() if row.name in ("bert/default/pt", "distilbert/default/pt", "gpt2/default/pt")]

CLUSTER = """
import sys
from distributed import LocalCluster
from conformance.zoo import run

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        patterns = [word for name in sys.argv[2:] for word in ("--only", name)]
        code = run.main(["--cluster", cluster.scheduler_address, "--journal", sys.argv[1], *patterns])
    sys.exit(code)
"""


def test_rows_are_named_once_and_selected_by_pattern() -> None:
    names = [row.name for row in rows()]
    assert len(set(names)) == len(names) > 250
    assert [row.name for row in select([])] == names
    assert {row.framework for row in select(["*/tf"])} == {"tf"}
    assert {row.model_type for row in select(["bert/*", "gpt2/default/*"])} == {"bert", "gpt2"}
    assert select(["nothing"]) == []


def test_a_finished_row_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def pretend(row: Row, limits: Limits) -> tuple[Row, Result]:
        ran.append(row.name)
        if len(ran) == 3:
            raise KeyboardInterrupt
        return row, Result(passed=True, opset=18)

    monkeypatch.setattr(zoo, "run_isolated", pretend)
    journal = Journal(tmp_path / "deep" / "zoo.jsonl", "this code")
    with pytest.raises(KeyboardInterrupt):
        zoo.run(SMALL, journal, Limits(), jobs=1)
    assert len(journal.results()) == 2
    with journal.path.open("a") as file:
        file.write('{"row": "bert/de')  # killed while it wrote
    journal.path.write_text(journal.path.read_text() + "\n")
    results = zoo.run(SMALL, journal, Limits(), jobs=1)
    assert list(results) == [row.name for row in SMALL] and all(result.passed for result in results.values())
    assert len(ran) == 4 and ran[2] == ran[3]
    assert Journal(journal.path, "other code").results() == {}


def test_the_fingerprint_is_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = zoo.fingerprint()
    assert zoo.fingerprint() == before
    monkeypatch.setattr(zoo, "SOURCES", ("tfexport/**/*.py",))
    assert zoo.fingerprint() != before


def test_a_dask_cluster_takes_the_rows(tmp_path: Path) -> None:
    """Start two workers on this machine; each starts its own processes."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    journal = tmp_path / "zoo.jsonl"
    names = [row.name for row in SMALL]
    ran = support.python(
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
        script,
        journal,
        *names,
    )
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == ["PyTorch: 3 of 3", "PyTorch, of transformers.onnx: 3 of 3"]
    lines: list[Any] = [json.loads(line) for line in journal.read_text().splitlines()]
    assert sorted(line["row"] for line in lines) == sorted(names)
    assert all(line["result"]["passed"] for line in lines)


def test_nothing_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        zoo.main(["--only", "nothing/*"])
    assert stopped.value.code == 2
    assert "no row matches nothing/*" in capsys.readouterr().err
