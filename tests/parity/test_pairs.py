"""Pairs of corners: which values are compared, which are left out, and what never counts as agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfexport.parity.corners import Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.localisation import Located
from tfexport.parity.pairs import Pair, compare_corners, noise
from tfexport.parity.report import ParityReport
from tfexport.parity.run_result import RunResult
from tfexport.validation import Case, Tolerance

MASK = np.array([[1, 1, 0], [1, 1, 1]])
STATES = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
LABELS = {
    "model": {
        "attention_mask": {0: "batch", 1: "sequence"},
        "last_hidden_state": {0: "batch", 1: "sequence"},
        "pooled": {0: "batch"},
    }
}
CASES: dict[str, tuple[Case, ...]] = {"model": (Case(2, 3, padding="right"),)}
TOLERANCE = Tolerance(1e-5)
IDS = {"tf": CornerId("tf"), "pt": CornerId("pt"), "onnx_tf": CornerId("tf", "file")}


def pairs(folder: Path, **outputs: dict[str, np.ndarray] | None) -> dict[str, Pair]:
    """Return the pairs of corners by their outputs; None for a corner that failed on the case."""
    exchange = Exchange(folder)
    exchange.save_inputs("model", 0, {}, {"attention_mask": MASK})
    corners = []
    for name, values in outputs.items():
        if values is not None:
            exchange.save_outputs("model", 0, IDS[name].name, values)
        problems = {"model": {0: "it crashed"} if values is None else {}}
        corners.append(Corner(IDS[name], RunResult(cases=CASES, labels=LABELS, problems=problems)))
    return {pair.name: pair for pair in compare_corners(corners, CASES, exchange, TOLERANCE)}


def changed(*at: int) -> np.ndarray:
    copy = STATES.copy()
    copy[at] += 1
    return copy


def test_values_at_padding_are_not_compared_between_frameworks(tmp_path: Path) -> None:
    other = {"last_hidden_state": changed(0, 2, 1)}
    found = pairs(tmp_path, tf={"last_hidden_state": STATES}, pt=other, onnx_tf=other)
    assert found["tf and pt"].agrees
    assert not found["tf and onnx-tf"].agrees  # a file must return the values of its own framework at padding too


def test_other_values_are(tmp_path: Path) -> None:
    found = pairs(tmp_path, tf={"last_hidden_state": STATES}, pt={"last_hidden_state": changed(0, 1, 1)})
    assert not found["tf and pt"].agrees


def test_padding_must_be_finite_all_the_same(tmp_path: Path) -> None:
    broken = STATES.copy()
    broken[0, 2, 0] = np.nan
    found = pairs(tmp_path, tf={"last_hidden_state": STATES}, pt={"last_hidden_state": broken})
    assert "1 NaN" in found["tf and pt"].problems[0]


def test_a_mask_over_a_past_hides_the_last_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LABELS["model"], "attention_mask", {0: "batch", 1: "past_sequence + sequence"})
    late = {"last_hidden_state": STATES[:, 1:]}  # two new tokens after one in the cache
    hidden, seen = late["last_hidden_state"].copy(), late["last_hidden_state"].copy()
    hidden[0, 1] += 1
    seen[1, 1] += 1
    assert pairs(tmp_path, tf=late, pt={"last_hidden_state": hidden})["tf and pt"].agrees
    assert not pairs(tmp_path, tf=late, pt={"last_hidden_state": seen})["tf and pt"].agrees


def test_an_output_without_that_axis_is_compared_whole(tmp_path: Path) -> None:
    found = pairs(tmp_path, tf={"pooled": STATES[:, 0]}, pt={"pooled": changed(0, 0, 0)[:, 0]})
    assert not found["tf and pt"].agrees


def test_integers_of_any_width_are_the_same(tmp_path: Path) -> None:
    ids = np.arange(6).reshape(2, 3)
    assert pairs(tmp_path, tf={"ids": ids.astype(np.int32)}, pt={"ids": ids})["tf and pt"].agrees


def test_a_corner_that_failed_does_not_agree(tmp_path: Path) -> None:
    found = pairs(tmp_path, tf={"last_hidden_state": STATES}, onnx_tf=None)["tf and onnx-tf"]
    assert not found.agrees
    assert found.problems == ("[2x3, padded right] onnx-tf: it crashed",)


def test_a_case_that_the_source_does_not_accept_is_left_out_and_nothing_is_not_agreement(tmp_path: Path) -> None:
    found = pairs(tmp_path, tf=None, onnx_tf={"last_hidden_state": STATES})["tf and onnx-tf"]
    assert (found.compared, found.agrees) == ((), False)


@pytest.mark.parametrize("missing", ["first", "second"])
def test_an_output_that_one_lacks(tmp_path: Path, missing: str) -> None:
    both = {"last_hidden_state": STATES, "pooled": STATES[:, 0]}
    one = {"last_hidden_state": STATES}
    found = pairs(tmp_path, tf=one if missing == "first" else both, pt=both if missing == "first" else one)
    assert not found["tf and pt"].agrees
    assert "pooled" in found["tf and pt"].problems[0]


def test_noise_is_the_difference_between_the_frameworks(tmp_path: Path) -> None:
    off = {"last_hidden_state": STATES + np.float32(1e-6)}
    found = pairs(tmp_path, tf={"last_hidden_state": STATES}, pt=off, onnx_tf=off)
    ((key, value),) = noise(found.values()).items()
    assert key == ("model", 0, "last_hidden_state")
    assert 0 < value < 2e-6


def test_a_corner_that_ought_to_be_there_is_a_problem() -> None:
    def report(expected: bool) -> ParityReport:
        absent = Corner(IDS["pt"], None, "killed by SIGKILL", expected=expected)
        corners = (Corner(IDS["tf"], RunResult(cases=CASES)), absent)
        return ParityReport("m", "default", "bert", TOLERANCE, corners, CASES, ())

    assert report(True).problems == ("pt: killed by SIGKILL",)
    assert report(False).problems == ()
    assert not report(False).agrees  # nothing was compared


def _report(*compared: Pair, changes: tuple[str, ...] = (), **structure: tuple[str, ...]) -> ParityReport:
    result = RunResult(cases=CASES, structure=structure)
    return ParityReport(
        "m",
        "default",
        "bert",
        TOLERANCE,
        (Corner(IDS["tf"], RunResult(cases=CASES)), Corner(IDS["onnx_tf"], result)),
        CASES,
        compared,
        changes=changes,
    )


def test_the_largest_error_and_the_one_that_is_nearest_to_its_limit(tmp_path: Path) -> None:
    """An output of large values may have a larger error of which more is allowed."""
    source = {"last_hidden_state": STATES * 1e4, "pooled": STATES[0]}
    file = {"last_hidden_state": STATES * 1e4 + np.float32(0.25), "pooled": STATES[0] + np.float32(8e-5)}
    (pair,) = pairs(tmp_path, tf=source, onnx_tf=file).values()
    assert pair.largest is not None and pair.worst is not None
    assert (pair.largest.name, pair.worst.name) == ("last_hidden_state", "pooled")
    _, line, *_ = _report(pair).lines()
    assert (
        "largest error 0.25 of 2.2 allowed (last_hidden_state); nearest to its limit 8e-05 of 0.00011 allowed (pooled)"
        in line
    )
    document = _report(pair).as_dict()["pairs"][0]
    assert document["largest"]["max_abs_error"] == 0.25
    (same,) = pairs(tmp_path, tf=source, onnx_tf={**file, "pooled": STATES[0]}).values()
    assert "nearest" not in _report(same).lines()[1]


@pytest.mark.parametrize(
    ("changes", "structure", "outcome"),
    [
        ((), (), "agrees"),
        (("model.onnx is missing",), (), "CHANGED since the export; what was compared agrees"),
        ((), ("an axis is static",), "NOT VALID; what was compared agrees, but see below"),
    ],
)
def test_the_verdict_above_pairs_that_agree(
    changes: tuple[str, ...], structure: tuple[str, ...], outcome: str, tmp_path: Path
) -> None:
    (pair,) = pairs(tmp_path, tf={"pooled": STATES}, onnx_tf={"pooled": STATES}).values()
    report = _report(pair, changes=changes, **({"model": structure} if structure else {}))
    assert report.lines()[0].endswith(f": {outcome}")
    assert report.as_dict()["outcome"] == outcome
    assert report.agrees == (outcome == "agrees")


def test_the_verdict_above_pairs_that_disagree(tmp_path: Path) -> None:
    (pair,) = pairs(tmp_path, tf={"pooled": STATES}, onnx_tf={"pooled": changed(0, 0, 0)}).values()
    assert _report(pair, changes=("model.onnx is missing",)).lines()[0].endswith(": DISAGREES")


@pytest.mark.parametrize(("levels", "second"), [({"all": False}, "file"), ({}, "other framework")])
def test_an_error_after_the_last_layer_is_said_to_be_in_the_second_corner(levels: dict[str, bool], second: str) -> None:
    found = Located("tf and another", "model", "1x3", levels=levels)
    assert f"every layer's output is correct in the {second}, but the outputs of the model are not" in found.sentence
