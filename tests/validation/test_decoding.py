"""A decoder is judged by what it writes: each fault planted in its steps is found, with the step at which it shows.

The model is a small recurrence in NumPy whose logits depend on every token before; its steps keep the sum of what they
have read, as a cache does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from tfexport.validation import GenerationReport, Tolerance
from tfexport.validation.decoding import STEPS, GeneratedText, generate
from tfexport.validation.text_generation import compare_text

WORDS, WIDTH = 37, 8
RANDOM = np.random.default_rng(3)
EMBEDDINGS = RANDOM.normal(size=(WORDS, WIDTH)).astype(np.float32)
HEAD = RANDOM.normal(size=(WIDTH, WORDS)).astype(np.float32)
PLACES = RANDOM.normal(size=(64, WIDTH)).astype(np.float32)
TOLERANCE = Tolerance(1e-4, 0)
PROMPT = np.array([[1, 2, 3, 4, 5], [0, 0, 6, 7, 8]])
MASK = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])

Step = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def _logits(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The whole text at once, without a cache."""
    places = np.where(mask == 1, mask.cumsum(-1) - 1, 0)
    states = (np.tanh(EMBEDDINGS[tokens] + PLACES[places]) * mask[..., None]).cumsum(1)
    return np.asarray(np.sin(states) @ HEAD, np.float32)


class _Steps:
    """The same, step by step."""

    def __init__(self) -> None:
        self.sum = np.zeros((2, 1, WIDTH), np.float32)
        self.lengths: list[int] = []

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        ids, places = feeds["input_ids"], feeds["position_ids"]
        self.lengths.append(ids.shape[1])
        seen = feeds["attention_mask"][:, -ids.shape[1] :, None]
        assert feeds["attention_mask"].shape[1] == sum(self.lengths)
        states = self.sum + (np.tanh(EMBEDDINGS[ids] + PLACES[places]) * seen).cumsum(1)
        self.sum = states[:, -1:]
        return {"logits": (np.sin(states) @ HEAD).astype(np.float32)}


def _written(step: Step, **options: object) -> GeneratedText:
    return generate(step, PROMPT, MASK, **options)  # type: ignore[arg-type]


def _judged(written: GeneratedText) -> GenerationReport:
    return compare_text(written, _logits(written.tokens[:, :-1], written.mask[:, :-1]), TOLERANCE, ["model.onnx"])


@pytest.mark.parametrize("chunks", [(), (2, 3), (1, 1, 3)])
def test_no_fault(chunks: tuple[int, ...]) -> None:
    steps = _Steps()
    written = _written(steps, chunks=chunks)
    assert steps.lengths == [*(chunks or (5,)), *[1] * (STEPS - 1)]
    assert written.tokens.shape == (2, 5 + STEPS)
    assert written.outputs.shape == (2, 5 + STEPS - 1, WORDS)
    np.testing.assert_array_equal(written.tokens[:, :5], PROMPT)
    np.testing.assert_array_equal(written.mask[:, 5:], 1)
    report = compare_text(
        written, _logits(written.tokens[:, :-1], written.mask[:, :-1]), TOLERANCE, ["a.onnx", "b.onnx"]
    )
    assert report.problem is None
    assert report.first_difference is None
    assert report.ties == 0
    assert (report.files, report.batch, report.prompt, report.steps) == (("a.onnx", "b.onnx"), 2, 5, STEPS)
    assert report.max_abs_error < 1e-5
    assert report.allowed == 1e-4


def test_the_text_is_what_greedy_search_without_a_cache_writes() -> None:
    tokens, mask = PROMPT, MASK
    for _ in range(STEPS):
        likeliest = _logits(tokens, mask)[:, -1].argmax(-1)
        tokens = np.concatenate([tokens, likeliest[:, None]], axis=1)
        mask = np.concatenate([mask, np.ones((2, 1), np.int64)], axis=1)
    np.testing.assert_array_equal(_written(_Steps()).tokens, tokens)


def test_a_cache_that_forgets_shows_at_the_step_after() -> None:
    class Forgets(_Steps):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            if len(self.lengths) == 7:
                self.sum = np.zeros_like(self.sum)
            return super().__call__(feeds)

    report = _judged(_written(Forgets()))
    assert report.first_difference == 7
    assert report.problem == f"token 8 of {STEPS} is not the one that the source generates"


def test_wrong_positions_of_a_padded_row_show_at_once() -> None:
    steps = _Steps()

    def unaware(feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        read = sum(steps.lengths)
        places = np.broadcast_to(np.arange(read, read + feeds["input_ids"].shape[1]), feeds["input_ids"].shape)
        return steps({**feeds, "position_ids": places})

    assert "is not the one" in str(_judged(_written(unaware)).problem)


def test_a_logit_that_is_off_shows_with_its_step_and_row() -> None:
    class Drifts(_Steps):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            logits = dict(super().__call__(feeds))["logits"].copy()
            if len(self.lengths) == 10:
                worst = logits[1, 0].argmin()
                logits[1, 0, worst] -= 0.01  # no token changes
            return {"logits": logits}

    report = _judged(_written(Drifts()))
    assert report.first_difference is None
    assert report.problem == f"differs by 0.01 at step 9 of {STEPS}, row 1; 0.0001 is allowed"


def test_a_token_that_is_never_to_be_written_is_not() -> None:
    usual = _written(_Steps()).tokens[0, 7]
    written = _written(_Steps(), excluded=int(usual))
    assert usual not in written.tokens[:, 5:]
    assert _judged(written).problem is None
    assert "is not the one" in str(_judged(replace(written, excluded=None)).problem)


def test_padding_is_not_compared() -> None:
    class Wild(_Steps):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            logits = dict(super().__call__(feeds))["logits"].copy()
            logits[feeds["attention_mask"][:, -logits.shape[1] :] == 0] = np.nan
            return {"logits": logits}

    assert _judged(_written(Wild())).problem is None


def test_nan_is_a_problem() -> None:
    class Breaks(_Steps):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            logits = dict(super().__call__(feeds))["logits"].copy()
            if len(self.lengths) == 4:
                logits[0, 0, 3] = np.nan
            return {"logits": logits}

    assert _judged(_written(Breaks())).problem == "NaN or infinite values while generating"


def test_a_tie_is_told_and_is_no_difference() -> None:
    written = _written(_Steps())
    reference = _logits(written.tokens[:, :-1], written.mask[:, :-1])
    at = (0, written.prompt - 1 + 5)
    greedy = written.tokens[0, written.prompt + 5]
    other = (greedy + 1) % WORDS
    reference[at][other] = written.outputs[at][other] = reference[at][greedy] + 1e-5
    report = compare_text(written, reference, TOLERANCE, ["model.onnx"])
    assert report.problem is None
    assert report.ties == 1


def test_hidden_states_are_followed_along_a_given_text() -> None:
    class States(_Steps):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            return {"last_hidden_state": dict(super().__call__(feeds))["logits"][..., :3]}

    given = RANDOM.integers(0, WORDS, (2, 6))
    written = _written(States(), output="last_hidden_state", steps=6, forced=given)
    np.testing.assert_array_equal(written.tokens[:, 5:], given)
    reference = _logits(written.tokens[:, :-1], written.mask[:, :-1])[..., :3]
    assert compare_text(written, reference, TOLERANCE, ["model.onnx"]).problem is None
    reference[0, 7, 2] += 1
    assert "at step 3 of 6, row 0" in str(compare_text(written, reference, TOLERANCE, ["model.onnx"]).problem)


def test_another_shape_is_a_problem() -> None:
    written = _written(_Steps())
    assert "expected (2, 36, 5)" in str(compare_text(written, np.zeros((2, 36, 5)), TOLERANCE, ["model.onnx"]).problem)
