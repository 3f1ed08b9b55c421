"""Arithmetic on raw values: medians with intervals, percentiles that the samples can bear, ratios, outliers.

Values come as launches (processes), each of rounds, each of calls: `Samples`. Calls of one round are alike for reasons of the
moment (another program, a clock), and rounds of one process for reasons of that process (where its memory lies), so
intervals are a bootstrap over launches, then over the rounds of each; a round stands for itself by its median. Engines are
compared round by round: the rounds of two engines of one launch were measured side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

Verdict = Literal["faster", "slower", "no difference", "unknown"]
Samples = Sequence[Sequence[Sequence[float]]]
"""Launches of rounds of values."""

LEVEL = 0.95
"""Of every interval."""
LEAST_ROUNDS = 5
"""Rounds from which an interval is given: of two engines that are the same, two rounds tell one pair in three apart."""
RESAMPLES = 2000
MARGIN = 0.03
"""A ratio nearer to 1 is no difference that matters, whatever its interval."""
NEEDED = {90: 64, 95: 130, 99: 662}
"""Samples from which a percentile is given: MLPerf inference, early stopping at 99 % confidence with one query over it."""
OUTLIER_SCORE = 3.5
"""Of the modified Z-score: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)."""
_MAD_OF_NORMAL = 0.6745
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A median with its interval.

    Attributes:
        median: of the rounds' medians, or of their ratios.
        low: lower end of the 95 % interval; NaN, as the other, of fewer rounds than `LEAST_ROUNDS`.
        high: upper end.
    """

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval, relative to the median."""
        return (self.high - self.low) / 2 / self.median

    @property
    def known(self) -> bool:
        """Whether there is an interval: `LEAST_ROUNDS` rounds at least."""
        return math.isfinite(self.low)

    def verdict(self, margin: float = MARGIN) -> Verdict:
        """As a ratio: a difference when the interval leaves out 1, and the median is at least the margin away from it."""
        if not self.known:
            return "unknown"
        if self.low <= 1 <= self.high or abs(self.median - 1) < margin:
            return "no difference"
        return "faster" if self.median > 1 else "slower"


@dataclass(frozen=True)
class Summary:
    """Values of one cell.

    Attributes:
        estimate: the median with its interval.
        samples: number of values.
        mean: of all values.
        smallest: value.
        largest: value.
        percentiles: those that the number of samples can bear, by their number.
        outliers: values whose modified Z-score is over 3.5. They are counted, and stay in.
    """

    estimate: Estimate
    samples: int
    mean: float
    smallest: float
    largest: float
    percentiles: dict[int, float]
    outliers: int


def pooled(samples: Samples) -> np.ndarray:
    """All values."""
    return np.fromiter(chain.from_iterable(chain.from_iterable(samples)), float)


def summarise(samples: Samples) -> Summary:
    """Everything about one cell's values.

    Raises:
        ValueError: there is none.
    """
    values = pooled(samples)
    if not len(values):
        raise ValueError("there is no value to summarise")
    return Summary(
        estimate=median_of(samples),
        samples=len(values),
        mean=float(values.mean()),
        smallest=float(values.min()),
        largest=float(values.max()),
        percentiles={q: float(np.percentile(values, q)) for q, needed in NEEDED.items() if len(values) >= needed},
        outliers=int((np.abs(_modified_z(values)) > OUTLIER_SCORE).sum()),
    )


def median_of(samples: Samples) -> Estimate:
    """The median of the rounds' medians, with its interval.

    Not that of all values: a round lasts as long whatever its calls take, so that slow rounds would count for less.
    """
    return _estimate(_round_medians(samples))


def ratio(samples: Samples, base: Samples) -> Estimate:
    """How many times as long the base took, round by round.

    Args:
        samples: of one cell.
        base: of another, measured in the same rounds of the same launches; what only one of them has is left out.

    Raises:
        ValueError: they have no round in common.
    """
    ratios = [
        [
            float(np.median(theirs) / np.median(ours))
            for ours, theirs in zip(mine, others, strict=False)
            if ours and theirs
        ]
        for mine, others in zip(samples, base, strict=False)
    ]
    return _estimate(ratios)


def unpaired_ratio(samples: Samples, base: Samples) -> Estimate:
    """How many times as long the base took, where the two were not measured in the same rounds."""
    medians = _round_medians(samples), _round_medians(base)
    low = high = float("nan")
    if all(sum(map(len, rounds)) >= LEAST_ROUNDS for rounds in medians):
        low, high = _ends(_draw(medians[1]) / _draw(medians[0], _SEED + 1))
    mine, others = (float(np.median(list(chain.from_iterable(rounds)))) for rounds in medians)
    return Estimate(others / mine, low, high)


def _round_medians(samples: Samples) -> list[list[float]]:
    return [[float(np.median(values)) for values in rounds if len(values)] for rounds in samples]


def _estimate(rounds: Sequence[Sequence[float]]) -> Estimate:
    values = list(chain.from_iterable(rounds))
    if not values:
        raise ValueError("there is no round to tell a median of")
    return Estimate(float(np.median(values)), *_interval(rounds))


def _interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95 % interval of a median: NaN for few rounds, which say little of how rounds vary."""
    if sum(map(len, rounds)) < LEAST_ROUNDS:
        return float("nan"), float("nan")
    return _ends(_draw(rounds))


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(drawn, (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2))
    return float(low), float(high)


def _draw(rounds: Sequence[Sequence[float]], seed: int = _SEED) -> np.ndarray:
    """Medians of resamples: launches with replacement, then the rounds of each with replacement."""
    launches = [values for values in rounds if len(values)]
    counts = np.array([len(values) for values in launches])
    table = np.full((len(launches), counts.max()), np.nan)
    for row, values in zip(table, launches, strict=True):
        row[: len(values)] = values
    random = np.random.default_rng(seed)
    chosen = random.integers(len(launches), size=(RESAMPLES, len(launches)))
    numbers = (random.random((*chosen.shape, table.shape[1])) * counts[chosen][..., None]).astype(int)
    drawn = table[chosen[..., None], numbers]
    drawn[np.arange(table.shape[1]) >= counts[chosen][..., None]] = np.nan  # a launch gives as many rounds as it had
    return _medians(drawn.reshape(RESAMPLES, -1))


def _medians(rows: np.ndarray) -> np.ndarray:
    """Of each row, without its NaN."""
    rows = np.sort(rows, axis=1)  # NaN last
    counts = np.isfinite(rows).sum(axis=1)
    each = np.arange(len(rows))
    medians: np.ndarray = (rows[each, (counts - 1) // 2] + rows[each, counts // 2]) / 2
    return medians


def _modified_z(values: np.ndarray) -> np.ndarray:
    deviations = values - np.median(values)
    spread = float(np.median(np.abs(deviations)))
    return _MAD_OF_NORMAL * deviations / spread if spread else np.zeros_like(values)
