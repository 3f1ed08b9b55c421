"""Arithmetic on what was measured: spreads, ratios of one run, and whether texts agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

UNSTABLE = 0.1
"""A spread (between the quartiles, over the median) from which a measurement is called unstable."""
_RESAMPLES = 10_000
_LEVEL = 95


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles, extremes, and whether they lie too far apart; every value is kept elsewhere."""
    low, median, high = (float(quantile) for quantile in np.quantile(values, (0.25, 0.5, 0.75)))
    return {
        "median": round(median, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "range": [round(min(values), 3), round(max(values), 3)],
        "samples": len(values),
        "unstable": bool((high - low) / median > UNSTABLE),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """How many times as fast ours are as theirs, round by round: the two of a round were measured side by side.

    Args:
        ours: tokens a second of each round.
        theirs: the same of another engine, in the same rounds.

    Returns:
        The median of the rounds' ratios, its 95 % interval (percentile bootstrap over the rounds, with a fixed seed), and
        whether the interval leaves out 1.

    Raises:
        ValueError: not the same rounds.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} rounds of one and {len(theirs)} of the other")
    ratios = np.asarray(ours) / np.asarray(theirs)
    drawn = np.random.default_rng(0).choice(ratios, size=(_RESAMPLES, len(ratios)))
    low, high = (float(q) for q in np.percentile(np.median(drawn, axis=1), ((100 - _LEVEL) / 2, (100 + _LEVEL) / 2)))
    return {
        "median": round(float(np.median(ratios)), 3),
        "interval_95": [round(low, 3), round(high, 3)],
        "differs": bool(low > 1 or high < 1),
    }


@dataclass(frozen=True)
class Difference:
    """Where a text first parts from the reference's.

    Attributes:
        step: which new token, from 1 on.
        row: of the batch.
        token: what was written.
        expected: what the reference wrote.
    """

    step: int
    row: int
    token: int
    expected: int

    def told(self, leads: Leads | None = None) -> str:
        """As a sentence, with how clearly the model prefers the expected token where that is known."""
        text = f"token {self.step} of row {self.row} is {self.token}, expected {self.expected}"
        if leads is None:
            return text
        lead = leads.lead[self.row, self.step - 1]
        return f"{text}, which leads the next likeliest by {lead:.2g} of {leads.largest:.2g}"


def first_difference(written: np.ndarray, reference: np.ndarray) -> Difference | None:
    """The first new token in which two texts ``(batch, tokens)`` differ; None when they are the same.

    Raises:
        ValueError: the texts are not of one shape.
    """
    if written.shape != reference.shape:
        raise ValueError(f"the text has shape {written.shape}, expected {reference.shape}")
    steps, rows = np.nonzero((written != reference).T)
    if not len(steps):
        return None
    step, row = int(steps[0]), int(rows[0])
    return Difference(step + 1, row, int(written[row, step]), int(reference[row, step]))


@dataclass(frozen=True)
class Leads:
    """How clearly a model prefers each token of a text.

    Attributes:
        likeliest: int64 ``(batch, tokens)``.
        lead: of the likeliest token's logit over the next one's, ``(batch, tokens)``.
        largest: magnitude of a logit.
    """

    likeliest: np.ndarray
    lead: np.ndarray
    largest: float


def leads_of(logits: np.ndarray) -> Leads:
    """Of logits ``(batch, tokens, vocabulary)``."""
    best = np.partition(logits, -2, axis=-1)[..., -2:]
    return Leads(logits.argmax(-1), best[..., 1] - best[..., 0], float(np.abs(logits).max()))


def tokens_a_second(seconds: Sequence[float], tokens: int) -> list[float]:
    """New tokens of a whole batch over wall time, for each sample."""
    return [tokens / second for second in seconds]
