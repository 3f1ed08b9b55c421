"""Comparisons of two results files, with and without planted changes."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.benchmark.documents import SETTING, cell, document, launches, without_number
from tfexport.benchmark.comparison import Change, Comparison, compare
from tfexport.errors import ResultsError


def one(median_ms: float, seed: int, **options: Any) -> dict[str, Any]:
    """Return a document of one cell."""
    return document([cell("ort", SETTING, launches(median_ms, seed=seed, **options))])


def _ratio(change: Change) -> float:
    assert change.times_as_fast is not None
    return change.times_as_fast


def verdicts(found: Comparison) -> dict[str, str]:
    return {change.key.removeprefix(f"{SETTING.name}, "): change.verdict for change in found.changes}


class TestVerdict:
    def test_a_slowdown_of_5_percent_is_a_regression(self) -> None:
        for seed in range(20):
            (change,) = compare(one(10.0, seed), one(10.5, seed + 100)).regressions
            assert change.verdict == "slower"
            assert change.times_as_fast == pytest.approx(1 / 1.05, rel=0.02)
            assert change.interval is not None
            assert change.interval[1] < 1

    def test_a_gain_of_5_percent_is_none(self) -> None:
        found = compare(one(10.5, 1), one(10.0, 2))
        assert verdicts(found) == {"ort": "faster"}
        assert found.regressions == ()

    def test_the_same_is_no_difference(self) -> None:
        found = [verdicts(compare(one(10.0, seed), one(10.0, seed + 100))) for seed in range(50)]
        assert found == [{"ort": "no difference"}] * 50

    def test_a_change_within_the_margin_is_none_however_sure_it_is(self) -> None:
        old, new = one(10.0, 1, noise=0.001), one(10.2, 2, noise=0.001)
        (change,) = compare(old, new).changes
        assert change.interval is not None
        assert change.interval[1] < 1
        assert change.verdict == "no difference"
        assert verdicts(compare(old, new, margin=0.01)) == {"ort": "slower"}

    def test_a_change_that_is_not_sure_is_none_however_large_it_is(self) -> None:
        found = [
            compare(one(10.0, seed, noise=0.5, rounds=2, calls=1), one(10.0, seed + 50, noise=0.5, rounds=2, calls=1))
            for seed in range(20)
        ]
        large = [change for each in found for change in each.changes if abs(_ratio(change) - 1) > 0.2]
        assert len(large) > 5
        unsure = [change for change in large if change.interval and change.interval[0] < 1 < change.interval[1]]
        assert len(unsure) > 5
        assert {change.verdict for change in unsure} == {"no difference"}

    def test_one_round_says_nothing(self) -> None:
        old, new = one(10.0, 1), one(20.0, 2, number=1, rounds=1)
        for found in (compare(old, new), compare(new, old)):
            (change,) = found.changes
            assert (change.verdict, change.interval) == ("unknown", None)
            assert found.regressions == ()

    def test_a_number_that_is_lost_is_a_regression_with_its_cause(self) -> None:
        old = one(10.0, 1)
        new = document([without_number("ort", "failed", "its process was killed by SIGKILL (out of memory?)")])
        (change,) = compare(old, new).regressions
        assert (change.verdict, change.problem) == ("lost", "its process was killed by SIGKILL (out of memory?)")
        assert any("killed by SIGKILL" in line for line in compare(old, new).lines())
        assert verdicts(compare(new, old)) == {"ort": "gained"}
        assert verdicts(compare(new, new)) == {"ort": "no number"}
        assert compare(new, old).regressions == compare(new, new).regressions == ()


class TestCells:
    def test_are_matched_by_their_keys(self) -> None:
        other = replace(SETTING, batch=1)
        old = document([cell("ort", SETTING, launches(10.0)), cell("tf-xla", SETTING, launches(20.0, seed=1))])
        new = document(
            [cell("ort", other, launches(1.0))],
            [cell("openvino", SETTING, launches(7.0)), cell("ort", SETTING, launches(10.0, seed=2))],
        )
        found = compare(old, new)
        assert [(change.key, change.verdict) for change in found.changes] == [
            ("minilm, 1x128, 2 threads, host, ort", "only in new"),
            ("minilm, 8x128, 2 threads, host, openvino", "only in new"),
            ("minilm, 8x128, 2 threads, host, ort", "no difference"),
            ("minilm, 8x128, 2 threads, host, tf-xla", "only in old"),
        ]
        assert found.regressions == ()

    def test_none_in_common_is_an_error(self) -> None:
        new = document([cell("ort", replace(SETTING, threads=4), launches(10.0))])
        with pytest.raises(ResultsError, match="no cell in common.*2 threads, host, ort.*4 threads, host, ort"):
            compare(one(10.0, 1), new)


class TestGeometricMean:
    def test_is_of_what_both_measured(self) -> None:
        still: dict[str, Any] = {"noise": 1e-6}
        old = document(
            [cell("ort", SETTING, launches(10.0, **still)), cell("tf-xla", SETTING, launches(20.0, **still))],
            [cell("ort", replace(SETTING, batch=1), launches(10.0, **still))],
        )
        new = document(
            [
                cell("ort", SETTING, launches(5.0, **still)),
                without_number("tf-xla", "refused", "its outputs disagree with the reference's"),
            ],
            [cell("ort", replace(SETTING, batch=1), launches(80.0, **still))],
        )
        found = compare(old, new)
        assert found.geometric_mean == pytest.approx((2 / 8) ** 0.5, rel=1e-4)
        assert found.by_engine == {"ort": found.geometric_mean}

    def test_is_reported_by_engine(self) -> None:
        """When an engine that nobody changed is as fast as before, the machine is not the cause."""
        old, new = (
            document([cell("ort", SETTING, launches(ours)), cell("tf-xla", SETTING, launches(20.0))])
            for ours in (10.0, 20.0)
        )
        assert compare(old, new).by_engine == pytest.approx({"ort": 0.5, "tf-xla": 1.0})

    def test_without_a_ratio_there_is_none(self) -> None:
        new = document([without_number("ort", "failed", "killed")])
        assert compare(one(10.0, 1), new).geometric_mean is None


class TestWarnings:
    def test_the_same_machine_has_none(self) -> None:
        assert compare(one(10.0, 1), one(10.0, 2)).warnings == ()

    @pytest.mark.parametrize(
        ("changed", "warning"),
        [
            ({"cpu": "Another"}, "processor: Some Processor (avx2, fma) before, Another now"),
            ({"cpus": {"usable": 4}}, "usable processors: 2 before, 4 now"),
            ({"versions": {"onnxruntime": "1.25.0", "tensorflow": "2.21.0"}}, "onnxruntime: 1.24.0 before, 1.25.0 now"),
            ({"versions": {"onnxruntime": "1.24.0"}}, "tensorflow: 2.21.0 before, none now"),
            ({"variables": {"OMP_NUM_THREADS": "1"}}, "OMP_NUM_THREADS: none before, 1 now"),
            ({"gpus": [{"name": "A GPU", "driver": "550"}]}, "GPU: none before, A GPU (driver 550) now"),
        ],
    )
    def test_another_machine_is_reported(self, changed: dict[str, Any], warning: str) -> None:
        old = document([cell("ort", SETTING, launches(10.0))])
        new = document([cell("ort", SETTING, launches(10.0, seed=1))], **changed)
        assert compare(old, new).warnings == (warning,)
        assert compare(old, new).lines()[0] == f"warning: {warning}"

    def test_packages_that_compute_nothing_are_left_out(self) -> None:
        new = document(
            [cell("ort", SETTING, launches(10.0, seed=1))],
            versions={"onnxruntime": "1.24.0", "tensorflow": "2.21.0", "pillow": "12.0"},
        )
        assert compare(one(10.0, 2), new).warnings == ()

    def test_another_file_is_reported(self) -> None:
        old, new = one(10.0, 1), one(10.0, 2)
        new["targets"][0]["files"]["model.onnx"]["sha256"] = "1" * 64
        assert compare(old, new).warnings == ("minilm: model.onnx is not the same file as before",)

    def test_a_busy_machine_and_few_launches_are_reported(self) -> None:
        busy, few = one(100.0, 1, others_cpus=0.84), one(100.0, 2, number=2)
        assert compare(busy, few).warnings == (
            "other processes kept up to 0.8 processors busy while the old results were measured",
            "the new results have 1 cell with fewer than 3 launches, too few to know how much processes differ: a "
            "difference may be chance",
        )


def test_lines_name_every_cell_and_the_regressions_last() -> None:
    lines = compare(one(10.0, 1), one(20.0, 2)).lines()
    assert lines[0].split() == ["cell", "old", "ms", "new", "ms", "times", "as", "fast", "verdict"]
    assert lines[1].startswith("minilm, 8x128, 2 threads, host, ort  ")
    assert lines[1].endswith("  slower")
    assert lines[-1] == "regressions: minilm, 8x128, 2 threads, host, ort"
    assert compare(one(10.0, 1), one(10.0, 2)).lines()[-1] == "no regression"


def test_nothing_is_changed_and_the_dict_is_json() -> None:
    import json

    old, new = one(10.0, 1), one(20.0, 2)
    kept = copy.deepcopy((old, new))
    found = json.loads(json.dumps(compare(old, new).as_dict(), allow_nan=False))
    assert (old, new) == kept
    assert found["regressions"] == ["minilm, 8x128, 2 threads, host, ort"]
    assert found["changes"][0]["verdict"] == "slower"
