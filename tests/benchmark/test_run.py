"""Runs over tiny files: refusals, failures, and the content of a results file. No time is asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.calibration import matmul_file
from tests.benchmark.engines import MODULE
from tests.support import python
from tfexport.benchmark import Options, Request, benchmark, read, write
from tfexport.errors import (
    BenchmarkError,
    EngineNotInstalledError,
    InputsError,
    ProviderError,
    ResultsError,
    UnknownEngineError,
)
from tfexport.reporting import requirements

QUICK = Options(batch_sizes=(4,), threads=(1,), launches=1, round_s=0.01, time_limit_s=1.0)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that computes a little."""
    return matmul_file(tmp_path_factory.mktemp("chain") / "chain.onnx", width=16, layers=4)


def measured(chain: Path, *engines: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Return the cells of one group by engine."""
    document = benchmark([chain], Options(engines=engines, **options).over(QUICK))
    return {cell["engine"].removeprefix(f"{MODULE}:"): cell for cell in document["groups"][0]["cells"]}


def test_a_results_file_holds_every_raw_value(chain: Path, tmp_path: Path) -> None:
    document = benchmark([chain], Options(engines=("ort", f"{MODULE}:Twin"), launches=2, time_limit_s=20.0).over(QUICK))
    write(tmp_path / "results.json", document)
    assert read(tmp_path / "results.json") == document
    (group,) = document["groups"]
    ours, twin = group["cells"]
    for cell in (ours, twin):
        rounds = [values for launch in cell["launches"] for values in launch["rounds_us"]]
        assert cell["summary"]["samples"] == sum(map(len, rounds))
        assert len(cell["launches"]) == 2 == len(cell["cold"]["first_call_ms"])
        assert cell["memory"]["peak_rss_mib"][0] > cell["memory"]["base_rss_mib"][0] > 0
        assert cell["parity"]["problem"] is None
    assert ours["about"]["placement"]["nodes"] == {"CPUExecutionProvider": 8}
    (comparison,) = group["comparisons"]
    assert (comparison["engine"], comparison["than"]) == ("ort", f"{MODULE}:Twin")
    low, high = comparison["interval"]
    assert low <= comparison["times_as_fast"] <= high


def test_a_target_is_described(chain: Path) -> None:
    document = benchmark([Request(str(chain), "mine")], Options(engines=("ort",)).over(QUICK))
    (target,) = document["targets"]
    assert (target["name"], target["kind"], target["reference"]) == ("mine", "onnx", "ort")
    assert target["graphs"]["chain"]["ops"] == {"MatMul": 4, "Softsign": 4}
    assert target["graphs"]["chain"]["inputs"]["h0"] == ["batch", 16]
    assert target["files"]["chain.onnx"]["bytes"] == chain.stat().st_size


class TestParityGate:
    def test_wrong_outputs_get_no_number(self, chain: Path) -> None:
        cells = measured(chain, "ort", f"{MODULE}:Wrong")
        assert cells["ort"]["status"] == "measured"
        assert cells["Wrong"]["status"] == "refused"
        assert "disagree with the reference's: h4 differs by 0.01" in cells["Wrong"]["problem"]
        assert "summary" not in cells["Wrong"]
        assert "launches" not in cells["Wrong"]

    def test_outputs_that_become_wrong_are_found(self, chain: Path) -> None:
        cells = measured(chain, "ort", f"{MODULE}:WrongLater")
        assert cells["WrongLater"]["status"] == "refused"
        assert "summary" not in cells["WrongLater"]

    def test_other_names_are_missing_outputs(self, chain: Path) -> None:
        cells = measured(chain, f"{MODULE}:Renames")
        assert "it lacks the outputs h4; it has h4:0" in cells["Renames"]["problem"]


class TestFailures:
    def test_a_killed_cell_is_named_and_the_others_continue(self, chain: Path) -> None:
        cells = measured(chain, f"{MODULE}:Killed", "ort")
        assert cells["Killed"]["status"] == "failed"
        assert cells["Killed"]["problem"] == "its process was killed by SIGKILL (out of memory?)"
        assert cells["ort"]["status"] == "measured"

    def test_what_cannot_be_loaded_says_why(self, chain: Path) -> None:
        cells = measured(chain, "ort", f"{MODULE}:Raises")
        assert (cells["Raises"]["status"], cells["Raises"]["problem"]) == (
            "failed",
            "RuntimeError: a library is missing",
        )

    def test_without_the_first_engine_nothing_is_compared(self, chain: Path) -> None:
        document = benchmark([chain], Options(engines=(f"{MODULE}:Raises", "ort")).over(QUICK))
        assert document["groups"][0]["comparisons"] == []

    def test_cuda_here_is_an_error_before_anything_runs(self, chain: Path) -> None:
        with pytest.raises(ProviderError, match="'cuda' was asked for"):
            benchmark([chain], Options(providers=("cuda",)).over(QUICK))

    def test_an_unknown_engine_lists_the_known(self, chain: Path) -> None:
        with pytest.raises(UnknownEngineError, match="the engine 'onnx' does not exist.*ort, .*tf-eager"):
            benchmark([chain], Options(engines=("onnx",)).over(QUICK))

    def test_an_engine_whose_package_is_absent(self, chain: Path) -> None:
        with pytest.raises(
            EngineNotInstalledError, match=r"requires no-such-package, which is not.*tfexport\[absent\]"
        ):
            benchmark([chain], Options(engines=(f"{MODULE}:Absent",)).over(QUICK))

    def test_a_framework_needs_a_checkpoint(self, chain: Path) -> None:
        with pytest.raises(BenchmarkError, match="--reference CHECKPOINT"):
            benchmark([chain], Options(engines=("torch-eager",)).over(QUICK))

    def test_a_boundary_that_an_engine_lacks_is_refused(self, chain: Path) -> None:
        cells = measured(chain, f"{MODULE}:CpuOnly", boundaries=("device",))
        assert cells["CpuOnly"]["problem"] == "host-only does not support the boundary device; it supports host"

    def test_two_targets_of_one_name(self, chain: Path) -> None:
        with pytest.raises(InputsError, match="several targets have the name chain"):
            benchmark([chain, chain], QUICK)


@pytest.mark.parametrize("boundary", ["host", "device"])
def test_streams_call_side_by_side(chain: Path, boundary: str) -> None:
    cells = measured(chain, "ort", streams=(2,), boundaries=(boundary,))
    assert cells["ort"]["status"] == "measured"
    assert all(len(values) >= 2 for values in cells["ort"]["launches"][0]["rounds_us"])


def test_streams_may_take_the_lock_of_the_process(chain: Path) -> None:
    cells = measured(chain, f"{MODULE}:Locks", streams=(2,))
    assert cells["Locks"]["status"] == "measured", cells["Locks"]["problem"]


def test_float16_of_onnx_runtime_is_converted(chain: Path) -> None:
    cells = measured(chain, "ort", precisions=("fp16",))
    assert cells["ort"]["status"] == "measured"
    assert cells["ort"]["about"]["placement"]["ops"]["Cast"] >= 2
    assert 0 < cells["ort"]["parity"]["max_abs_error"] < cells["ort"]["parity"]["allowed"]


def test_the_time_limit_ends_it(chain: Path) -> None:
    document = benchmark([chain], Options(engines=("ort",), time_limit_s=0.001, launches=3).over(QUICK))
    (cell,) = document["groups"][0]["cells"]
    assert len(cell["launches"]) == 1  # the first is made all the same, the others are not
    assert len(cell["launches"][0]["rounds_us"]) == 5  # as many as an interval needs


def test_nothing_that_an_engine_imports_is_there_before_it_does() -> None:
    """Otherwise its import would seem to take no time."""
    code = (
        "import sys; from tfexport.benchmark.worker import serve; from tfexport.benchmark.engines import engine; "
        "found = [engine('ort'), engine('ort', writes=True)]; "
        "print({'onnx', 'onnxruntime', 'openvino', 'optimum', 'tensorflow', 'torch', 'transformers'} & set(sys.modules))"
    )
    assert python(code).out == "set()\n"


def test_what_was_measured_before_an_interruption_is_kept(chain: Path) -> None:
    """Ctrl-C in the second group: the first has its numbers, and the second is not in the file."""
    steps: list[str] = []

    def progress(share: float, text: str) -> None:
        steps.append(text)
        if text.startswith("chain, 8"):
            raise KeyboardInterrupt

    document = benchmark([chain], Options(engines=("ort",), batch_sizes=(4, 8)).over(QUICK), progress=progress)
    assert document["ended"] == "interrupted"
    ((cell,),) = (group["cells"] for group in document["groups"])
    assert (cell["status"], cell["key"].split(", ")[1]) == ("measured", "4")


def test_an_absent_package_is_an_error_that_names_the_extra(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    with pytest.raises(BenchmarkError, match=r"requires psutil, which cannot be imported.*tfexport\[benchmark\]"):
        benchmark([chain], QUICK)


def test_a_failing_disk_leaves_the_old_results(chain: Path, tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    document = benchmark([chain], Options(engines=("ort",)).over(QUICK))
    write(target, document)
    before = target.read_bytes()
    with pytest.raises(ResultsError, match="not a results file"):
        write(target, {**document, "groups": "none"})
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
