"""Corners and their results: names, and results that nothing changes."""

from __future__ import annotations

import pickle

import pytest

from tfexport.parity.corners import Corner, CornerId
from tfexport.parity.pairs import Pair
from tfexport.parity.run_result import PartRecord, RunResult, thawed
from tfexport.validation import Case


@pytest.mark.parametrize(
    ("corner", "name"),
    [
        (CornerId("tf"), "tf"),
        (CornerId("pt", "file"), "onnx-pt"),
        (CornerId("tf", "file", "cuda"), "onnx-tf on cuda"),
    ],
)
def test_names(corner: CornerId, name: str) -> None:
    assert corner.name == name


@pytest.mark.parametrize(
    ("first", "second", "own"),
    [
        (CornerId("tf"), CornerId("pt"), True),
        (CornerId("pt"), CornerId("tf"), True),
        (CornerId("tf"), CornerId("tf", "file"), True),
        (CornerId("tf"), CornerId("pt", "file"), False),
        (CornerId("tf"), CornerId("tf", "file", "cuda"), False),
        (CornerId("tf", "file"), CornerId("tf", "file", "cuda"), False),
        (CornerId("tf", "file"), CornerId("pt", "file"), False),
    ],
)
def test_a_layer_is_looked_for_in_pairs_that_others_follow_from(first: CornerId, second: CornerId, own: bool) -> None:
    assert Pair(first, second, ()).own == own


class TestRunResult:
    RECORD = PartRecord(cases=[Case(1, 2)], problems={0: "it crashed"}, structure=["no output"], spread={"y": 0.5})

    def test_holds_only_what_was_determined(self) -> None:
        result = RunResult.of({"provider": "cpu"}, {"model": self.RECORD})
        assert result.cases == {"model": (Case(1, 2),)}
        assert result.problems == {"model": {0: "it crashed"}}
        assert result.structure == {"model": ("no output",)}
        assert result.padding == {}
        assert result.peak_rss_mib > 0

    def test_cannot_be_changed(self) -> None:
        result = RunResult.of({"files": ["model.onnx"]}, {"model": self.RECORD})
        with pytest.raises(TypeError):
            result.problems["encoder_model"] = {}  # type: ignore[index]
        with pytest.raises(TypeError):
            result.spread["model"]["y"] = 0.0  # type: ignore[index]
        with pytest.raises(AttributeError):
            result.structure["model"].append("another")  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            result.about["files"].append("another")

    def test_does_not_follow_its_record(self) -> None:
        record = PartRecord(problems={0: "it crashed"})
        result = RunResult.of({}, {"model": record})
        record.problems[1] = "again"
        assert result.problems == {"model": {0: "it crashed"}}

    def test_is_the_same_and_as_immutable_in_another_process(self) -> None:
        result = RunResult.of({"files": ["model.onnx"]}, {"model": self.RECORD})
        received = pickle.loads(pickle.dumps(result))
        assert received == result
        with pytest.raises(TypeError):
            received.problems["model"] = {}

    def test_thawed_values_are_values_of_json(self) -> None:
        result = RunResult.of({"files": ["model.onnx"]}, {"model": self.RECORD})
        assert type(thawed(result.about)) is dict
        assert thawed(result.structure) == {"model": ["no output"]}


def test_a_corner_of_one_part_does_not_name_the_part() -> None:
    spread = {"model": {"y": 0.5, "z": 0.25}}
    assert Corner(CornerId("tf"), RunResult(spread=spread)).repeat == "two runs differ by at most 0.5 (y)"
    parts = {"encoder_model": {"y": 0.5}, "decoder_model": {}}
    found = Corner(CornerId("tf"), RunResult(spread=parts)).repeat
    assert found == "two runs differ by at most 0.5 (encoder_model, y)"
