"""``tfexport benchmark`` as a user types it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.calibration import matmul_file
from tests.benchmark.engines import MODULE
from tests.support import Ran

Cli = Callable[..., Ran]
QUICK = ("--batch-sizes", "4", "--threads", "1", "--launches", "1", "--time-limit", "1")


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that computes a little."""
    return matmul_file(tmp_path_factory.mktemp("chain") / "chain.onnx", width=16, layers=4)


def test_everything_that_it_writes(cli: Cli, chain: Path, tmp_path: Path) -> None:
    written = {kind: tmp_path / f"results.{kind}" for kind in ("json", "html", "md", "csv")}
    ran = cli(
        *("benchmark", chain, *QUICK, "--engines", f"ort,{MODULE}:Twin"),
        *("--output", written["json"], "--html", written["html"], "--markdown", written["md"], "--csv", written["csv"]),
    )
    assert (ran.code, ran.errors) == (0, [])
    assert "chain, 4, 1 thread, host" in ran.err  # what is being measured
    assert "ort" in ran.out
    assert "Twin" in ran.out
    document = json.loads(written["json"].read_text())
    median = document["groups"][0]["cells"][0]["summary"]["median_ms"]
    first, _ = csv.DictReader(written["csv"].read_text().splitlines())
    assert float(first["median_ms"]) == median
    assert "<html" in written["html"].read_text()
    assert "ort" in written["md"].read_text()
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in written.values()}


def test_only_json_is_on_standard_output(cli: Cli, chain: Path) -> None:
    ran = cli("benchmark", "run", chain, *QUICK, "--engines", "ort", "--json")
    assert json.loads(ran.out)["groups"][0]["cells"][0]["status"] == "measured"


def test_a_cell_without_a_number_changes_the_exit_code(cli: Cli, chain: Path) -> None:
    ran = cli("benchmark", chain, *QUICK, "--engines", f"ort,{MODULE}:Wrong")
    assert ran.code == 1
    assert "disagree with the reference" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--providers", "cuda"), "'cuda' was asked for"),
        (("--engines", "nothing"), "the engine 'nothing' does not exist"),
        (("--batch-sizes", "two"), "--batch-sizes is 'two'"),
        (("--threads", "few"), "'few' is not a number of threads"),
        (("--suite", "absent.toml"), "not a suite that can be read"),
        (("--output", "/proc/nothing/results.json"), "cannot be written"),
        (("--html", "/tmp"), "it is a folder"),
        (("--engines", "ort,ort"), "engines has a value twice"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(cli: Cli, chain: Path, arguments: tuple[str, str], message: str) -> None:
    ran = cli("benchmark", chain, *QUICK, *arguments)
    assert ran.code == 2
    (error,) = ran.errors
    assert message in error


def test_nothing_to_measure(cli: Cli) -> None:
    ran = cli("benchmark", "run")
    assert ran.code == 2
    assert "nothing to measure" in ran.errors[0]


def test_a_suite(cli: Cli, chain: Path, tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'engines = ["ort"]\nthreads = [1]\nlaunches = 1\ntime_limit_s = 1\n'
        f'[[targets]]\nname = "a"\npath = "{chain}"\nbatch_sizes = [2]\n'
        f'[[targets]]\nname = "b"\npath = "{chain}"\nbatch_sizes = [3]\n'
    )
    ran = cli("benchmark", "--suite", suite, "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["name"]) == (0, "mine")
    assert [group["name"] for group in document["groups"]] == ["a, 2, 1 thread, host", "b, 3, 1 thread, host"]


def test_compare(cli: Cli, chain: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    cli("benchmark", chain, *QUICK, "--time-limit", "8", "--engines", "ort", "--output", old)
    slower = json.loads(old.read_text())
    for launch in slower["groups"][0]["cells"][0]["launches"]:
        launch["rounds_us"] = [[2 * value for value in values] for values in launch["rounds_us"]]
    new.write_text(json.dumps(slower))
    assert cli("benchmark", "compare", old, old).code == 0
    ran = cli("benchmark", "compare", old, new)
    assert ran.code == 1
    assert "slower" in ran.out
    assert cli("benchmark", "compare", new, old).code == 0


def test_compare_refuses_a_file_that_holds_no_results(cli: Cli, chain: Path, tmp_path: Path) -> None:
    ran = cli("benchmark", "compare", chain, tmp_path / "absent.json")
    assert ran.code == 2
    assert "Expected a results file of tfexport benchmark" in ran.errors[0]
