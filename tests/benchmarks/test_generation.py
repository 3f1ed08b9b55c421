"""The arithmetic of the generation benchmark, and how it treats an engine that writes other tokens. No timing is asserted."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.generation import run
from benchmarks.generation.__main__ import table
from benchmarks.generation.engines import ENGINES, FRAMEWORKS, REFERENCE
from benchmarks.generation.models import SHAPES, make_prompt
from benchmarks.generation.summary import first_difference, leads_of, ratio, spread, tokens_a_second
from benchmarks.generation.worker import Answer, WorkerError
from tfexport.benchmark.stopwatch import Span


class TestSpread:
    def test_quartiles_are_numpys(self) -> None:
        told = spread([4.0, 1.0, 3.0, 2.0, 5.0])
        assert told == {"median": 3.0, "quartiles": [2.0, 4.0], "range": [1.0, 5.0], "samples": 5, "unstable": True}

    def test_close_values_are_stable(self) -> None:
        assert not spread([10.0, 10.1, 9.9])["unstable"]


class TestRatio:
    def test_is_of_the_two_of_a_round(self) -> None:
        """The machine was half as fast in the second round, for both."""
        assert ratio([10.0, 5.0, 10.0], [2.0, 1.0, 2.0]) == {"median": 5.0, "interval_95": [5.0, 5.0], "differs": True}

    def test_noise_around_one_is_no_difference(self) -> None:
        told = ratio([1.0, 1.1, 0.9, 1.05, 0.95], [1.0] * 5)
        low, high = told["interval_95"]
        assert low < 1 < high
        assert not told["differs"]

    def test_other_rounds_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 rounds of one and 1"):
            ratio([1.0, 2.0], [1.0])

    def test_tokens_of_the_whole_batch(self) -> None:
        assert tokens_a_second([2.0, 4.0], 64) == [32.0, 16.0]


class TestAgreement:
    REFERENCE = np.array([[5, 6, 7], [8, 9, 10]])

    def test_the_same_text(self) -> None:
        assert first_difference(self.REFERENCE.copy(), self.REFERENCE) is None

    def test_the_first_step_of_any_row(self) -> None:
        written = np.array([[5, 6, 1], [8, 2, 10]])
        difference = first_difference(written, self.REFERENCE)
        assert difference is not None
        assert (difference.step, difference.row, difference.token, difference.expected) == (2, 1, 2, 9)

    def test_how_clearly_the_model_prefers_what_was_expected(self) -> None:
        logits = np.array([[[0.0, 3.0, 1.0], [-4.0, 0.5, 0.25]]])
        leads = leads_of(logits)
        assert leads.likeliest.tolist() == [[1, 1]]
        assert leads.lead.tolist() == [[2.0, 0.25]]
        difference = first_difference(np.array([[1, 2]]), leads.likeliest)
        assert difference is not None
        assert (
            difference.told(leads) == "token 2 of row 0 is 2, expected 1, which leads the next likeliest by 0.25 of 4"
        )

    def test_a_shorter_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(2, 3\)"):
            first_difference(self.REFERENCE[:, :2], self.REFERENCE)


class FakeWorker:
    """Writes a text at once, and says that it took as long as it is told."""

    def __init__(self, engine: str, seconds: float, texts: Mapping[int, int] | None = None, dies: bool = False) -> None:
        self.engine, self._seconds, self._dies = engine, seconds, dies
        self._texts = dict(texts or {})
        self.asked = 0

    def generate(self, prompt: Mapping[str, np.ndarray], tokens: int) -> Answer:
        self.asked += 1
        if self._dies:
            raise WorkerError("its process died, exit code -9")
        written = np.tile(np.arange(tokens), (len(prompt["input_ids"]), 1))
        for call, token in self._texts.items():
            if call == self.asked:
                written[0, 1] = token
        return Answer(written, Span(self._seconds, 0.0))

    def logits(self, prompt: Mapping[str, np.ndarray], written: np.ndarray) -> np.ndarray:
        return np.eye(written.max() + 1)[written]


SETTINGS = run.Settings(tuple(ENGINES), (2,), prompt=4, tokens=8, rounds=3, warm_ups=1, threads=1)


def measured(*workers: FakeWorker) -> dict[str, Any]:
    return run._at_batch("gpt2-tiny", 2, {worker.engine: worker for worker in workers}, SETTINGS, lambda _: None)  # type: ignore[misc]


class TestRun:
    def test_speeds_and_ratios(self) -> None:
        told = measured(FakeWorker("onnxruntime", 0.5), FakeWorker(REFERENCE, 4.0))
        assert told["text"] == {"distinct_tokens": [8, 8], "least_lead": 1.0, "largest_logit": 1.0}
        cell = told["engines"]["onnxruntime"]
        assert cell["tokens_per_second"]["median"] == 32.0
        assert (cell["first_text_seconds"], cell["warm_up_seconds"], cell["seconds"]) == (0.5, [0.5], [0.5] * 3)
        assert told["ratios"] == {
            "onnxruntime": {REFERENCE: {"median": 8.0, "interval_95": [8.0, 8.0], "differs": True}}
        }

    @pytest.mark.parametrize("call", [1, 2, 4], ids=["first", "warm-up", "round"])
    def test_other_tokens_get_no_speed(self, call: int) -> None:
        wrong = FakeWorker("onnxruntime", 0.5, texts={call: 7})
        told = measured(FakeWorker(REFERENCE, 4.0), wrong)
        assert set(told["engines"]["onnxruntime"]) == {"refused"}
        assert told["engines"]["onnxruntime"]["refused"].startswith("token 2 of row 0 is 7, expected 1")
        assert told["ratios"] == {}
        assert wrong.asked == call

    def test_a_death_is_told(self) -> None:
        told = measured(FakeWorker(REFERENCE, 4.0), FakeWorker("pytorch", 1.0, dies=True))
        assert told["engines"]["pytorch"] == {"refused": "its process died, exit code -9"}
        assert len(told["engines"][REFERENCE]["seconds"]) == SETTINGS.rounds

    def test_a_reference_that_contradicts_itself_is_none(self) -> None:
        worker: Any = SimpleNamespace(engine=REFERENCE, logits=lambda _, written: np.eye(9)[written + 1])
        with pytest.raises(WorkerError, match="differs from what it says without"):
            run._leads(worker, {}, np.array([[1, 2]]))

    def test_the_table(self) -> None:
        told = measured(FakeWorker(REFERENCE, 4.0), FakeWorker("onnxruntime", 0.5), FakeWorker("pytorch", 1, {1: 7}))
        row = {
            "model": "gpt2-tiny",
            "parameters": 2_000_000,
            "batches": [told],
            "engines": {REFERENCE: {}, "optimum": {"failed": "ModuleNotFoundError: no optimum"}},
        }
        lines = table(row)
        assert lines[0] == "gpt2-tiny (2 million weights), batch 2"
        assert "32.00 tokens/s [32.00, 32.00]" in lines[2]
        assert "8.00x tensorflow-eager [8.00, 8.00]" in lines[2]
        assert "no speed: token 2 of row 0 is 7" in lines[3]
        assert lines[4].endswith("not loaded: ModuleNotFoundError: no optimum")


def test_every_framework_is_an_engine() -> None:
    assert REFERENCE in FRAMEWORKS
    assert set(FRAMEWORKS) <= set(ENGINES)


@pytest.mark.parametrize("name", SHAPES)
def test_prompts_are_of_the_vocabulary_and_the_same_each_time(name: str) -> None:
    one, other = (make_prompt(name, 3, 16) for _ in range(2))
    assert one["input_ids"].shape == one["attention_mask"].shape == (3, 16)
    assert (one["input_ids"] == other["input_ids"]).all()
    assert one["input_ids"].max() < SHAPES[name].shape.sizes.get("vocab_size", 32100)
