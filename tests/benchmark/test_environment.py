"""Facts of the results about the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support import python
from tfexport.benchmark import environment
from tfexport.benchmark.environment import cgroup_cpus, machine, usable_cpus
from tfexport.benchmark.memory import gpu_mib, peak_mib, reset_peak, resident_mib
from tfexport.benchmark.stopwatch import Span, Stopwatch


def test_the_environment_names_processor_and_versions() -> None:
    facts = json.loads(json.dumps(machine()))
    assert 1 <= facts["cpus"]["usable"] <= facts["cpus"]["affinity"] <= facts["cpus"]["logical"]
    assert "(" in facts["cpu"]
    assert {"transformers", "onnxruntime", "numpy", "psutil"} <= set(facts["versions"])
    assert facts["onnxruntime_build"].startswith("ORT Build Info")


def test_the_environment_does_not_name_the_machine() -> None:
    text = json.dumps(machine())
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without a quota", "v1", "v1 without a quota", "no cgroup"],
)
def test_the_quota_of_the_cgroup(
    files: dict[str, str], cpus: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert cgroup_cpus() == cpus


def test_a_quota_below_one_processor_leaves_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert usable_cpus() == 1


def test_the_affinity_counts_not_the_machine() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + (
        "from tfexport.benchmark.environment import usable_cpus; print(usable_cpus())"
    )
    assert python(code).out == "1\n"


def test_one_span_is_part_of_a_longer_one() -> None:
    watch = Stopwatch()
    short = watch.stop()
    long = watch.stop()
    assert 0 < short.seconds < long.seconds


def test_many_short_spans_together_show_other_processes() -> None:
    assert Span(0.2, 0.1).others_cpus is None
    assert sum([Span(0.2, 0.1), Span(0.2, -0.02), Span(0.2, 0.1)], Span()).others_cpus == pytest.approx(0.3)
    assert Span(1.0, -0.01).others_cpus == 0.0


def test_the_peak_of_memory_includes_freed_memory() -> None:
    before = resident_mib()
    reset_peak()
    block = bytearray(64 << 20)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert peak_mib() > before + 60


def test_there_is_no_gpu_memory_without_a_gpu() -> None:
    if environment.gpus():
        pytest.skip("a GPU is there")
    assert gpu_mib() is None
