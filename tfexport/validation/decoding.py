"""Validate a decoder as it is used: it writes text with its cache, and the model itself says what should have come.

The file generates greedily, feeding back its own cache. Then the model reads the whole text once, without any cache: since
it is causal, its logits at each position are those of the step that wrote the next token. Logits are compared at every
step, and so is the token: where they part, the report names the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.dummy_inputs import PAST, PRESENT, positions
from tfexport.validation.comparison import GenerationReport, Tolerance

STEPS = 32
"""Tokens that are written."""
LOGITS = "logits"


@dataclass(frozen=True)
class Written:
    """A text that a file wrote.

    Attributes:
        tokens: int64 ``(batch, tokens)``: those it began with, and those written.
        mask: int64 ``(batch, tokens)``, 0 on padding.
        outputs: logits, or hidden states, ``(batch, tokens - 1, width)``: at each position but the last.
        prompt: tokens it began with.
        chosen: whether the tokens are the likeliest; False where they were given.
        never: the token that was not to be written; None for none.
    """

    tokens: np.ndarray
    mask: np.ndarray
    outputs: np.ndarray
    prompt: int
    chosen: bool = True
    never: int | None = None


Step = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def write(
    step: Step,
    tokens: np.ndarray,
    mask: np.ndarray,
    *,
    output: str = LOGITS,
    steps: int = STEPS,
    chunks: Sequence[int] = (),
    given: np.ndarray | None = None,
    never: int | None = None,
) -> Written:
    """Write text, one step after the other.

    Args:
        step: runs the file on new ``input_ids``, an ``attention_mask`` over all tokens so far and ``position_ids``, and
            keeps the cache.
        tokens: what is given, int64 ``(batch, prompt)``.
        mask: 0 on its padding.
        output: the output to collect.
        steps: tokens to write.
        chunks: lengths into which the reading of the prompt is cut; all at once by default.
        given: tokens to go on with, int64 ``(batch, steps)``, in place of the likeliest: for a model without logits.
        never: a token that is not written: padding, which no text goes on with, and which a model may take for none.
    """
    prompt = tokens.shape[1]
    collected: list[np.ndarray] = []
    read = 0
    for length in (*(chunks or (prompt,)), *[1] * (steps - 1)):
        new = slice(read, read + length)
        read += length
        feeds = {"input_ids": tokens[:, new], "attention_mask": mask[:, :read], "position_ids": positions(mask)[:, new]}
        collected.append(step(feeds)[output])
        if read == tokens.shape[1]:
            likeliest = _without(collected[-1][:, -1], never).argmax(-1).astype(np.int64)
            added = likeliest if given is None else given[:, read - prompt]
            tokens = np.concatenate([tokens, added[:, None]], axis=1)
            mask = np.concatenate([mask, np.ones_like(mask[:, :1])], axis=1)
    return Written(tokens, mask, np.concatenate(collected, axis=1), prompt, given is None, never)


def judge(written: Written, reference: np.ndarray, tolerance: Tolerance, files: Sequence[str]) -> GenerationReport:
    """Compare what a file wrote with what the model says, position by position.

    Args:
        written: the text.
        reference: the model's logits or hidden states for the whole text but its last token, without a cache.
        tolerance: what is allowed.
        files: names of the files that wrote the text.
    """
    steps = written.tokens.shape[1] - written.prompt
    batch = len(written.tokens)
    allowed = tolerance.allowed(reference)

    def report(worst: float, problem: str | None, first: int | None = None, ties: int = 0) -> GenerationReport:
        return GenerationReport(tuple(files), batch, written.prompt, steps, worst, allowed, first, ties, problem)

    if reference.shape != written.outputs.shape:
        return report(float("nan"), f"shape {written.outputs.shape}, expected {reference.shape}")
    seen = written.mask[:, :-1] == 1
    if not np.isfinite(written.outputs[seen]).all() or not np.isfinite(reference[seen]).all():
        return report(float("nan"), "NaN or infinite values while generating")
    errors = np.abs(written.outputs.astype(np.float64) - reference.astype(np.float64)).max(-1) * seen
    worst = float(errors.max())
    first, ties = _first_difference(written, reference, allowed) if written.chosen else (None, 0)
    if first is not None:
        return report(worst, f"token {first + 1} of {steps} is not the one that the model writes", first, ties)
    if worst > allowed:
        row, position = (int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
        at = max(0, position - written.prompt + 1)
        return report(
            worst, f"differs by {worst:.3g} at step {at} of {steps}, row {row}; {allowed:.3g} is allowed", ties=ties
        )
    return report(worst, None, ties=ties)


def _first_difference(written: Written, reference: np.ndarray, allowed: float) -> tuple[int | None, int]:
    """The first step whose token is not the model's, and how many differ in a tie alone."""
    ties = 0
    for step in range(written.tokens.shape[1] - written.prompt):
        logits = _without(reference[:, written.prompt - 1 + step], written.never)
        token = written.tokens[:, written.prompt + step]
        behind = logits.max(-1) - np.take_along_axis(logits, token[:, None], -1)[:, 0]
        if (behind > 2 * allowed).any():  # each of the two logits may be off by what is allowed
            return step, ties
        ties += int((behind > 0).sum())
    return None, ties


def _without(logits: np.ndarray, never: int | None) -> np.ndarray:
    """Logits by which one token is not the likeliest."""
    if never is None or not 0 <= never < logits.shape[-1]:
        return logits
    kept = logits.copy()
    kept[..., never] = -np.inf
    return kept


class CachedSession:
    """Steps of a file that returns its cache, which is fed back.

    Args:
        session: an ONNX Runtime session.
        state: what every step is fed beside its tokens: the cache to begin with, and what an encoder made.
    """

    def __init__(self, session: Any, state: Mapping[str, np.ndarray]) -> None:
        self._session = session
        self._inputs = [value.name for value in session.get_inputs()]
        self._outputs = [value.name for value in session.get_outputs()]
        self.state = dict(state)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """One step."""
        available = {**self.state, **feeds}
        values = self._session.run(None, {name: available[name] for name in self._inputs})
        outputs = dict(zip(self._outputs, values, strict=True))
        self.state |= {
            name.replace(PRESENT, PAST, 1): value for name, value in outputs.items() if name.startswith(PRESENT)
        }
        return outputs


def empty_cache(session: Any, batch: int) -> dict[str, np.ndarray]:
    """A cache of no tokens: zeros ``(batch, heads, 0, head size)`` for each input of a session's."""
    return {
        value.name: np.zeros(
            [length if isinstance(length, int) else 0 for length in (batch, *value.shape[1:])], np.float32
        )
        for value in session.get_inputs()
        if value.name.startswith(PAST)
    }
