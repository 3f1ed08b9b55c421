"""Arithmetic on raw values: medians with intervals, percentiles, ratios and outliers.

Values are grouped by launch (a process), then by round, then by call: `Samples`. Calls of one round are alike for reasons of the
moment (another program, a clock). Rounds of one process are alike for reasons of the process (the place of its memory).
Therefore intervals come from a bootstrap over launches, then over the rounds of each, and a round counts by its median. Engines
are compared round by round, since the rounds of two engines of one launch were measured side by side.
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
"""Values by launch and round."""

LEVEL = 0.95
"""Confidence level of every interval."""
LEAST_ROUNDS = 5
"""Rounds from which there is an interval. With two rounds, one pair of identical engines in three would appear to differ."""
RESAMPLES = 2000
MARGIN = 0.03
"""Smallest difference of a ratio from 1 that counts, whatever its interval."""
NEEDED = {90: 64, 95: 130, 99: 662}
"""Samples from which there is a percentile: MLPerf inference, early stopping at 99 % confidence with one query over it."""
OUTLIER_SCORE = 3.5
"""Modified Z-score of an outlier: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)."""
_MAD_OF_NORMAL = 0.6745
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A median with its interval.

    Attributes:
        median: Median of the rounds' medians, or of their ratios.
        low: Lower end of the 95 % interval; NaN with fewer rounds than `LEAST_ROUNDS`.
        high: Upper end of the 95 % interval; NaN with fewer rounds than `LEAST_ROUNDS`.
    """

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high - self.low) / 2 / self.median

    @property
    def known(self) -> bool:
        """Whether there is an interval, which requires at least `LEAST_ROUNDS` rounds."""
        return math.isfinite(self.low)

    def verdict(self, margin: float = MARGIN) -> Verdict:
        """Return the verdict on a ratio: a difference when the interval excludes 1, and the median differs by the margin."""
        if not self.known:
            return "unknown"
        if self.low <= 1 <= self.high or abs(self.median - 1) < margin:
            return "no difference"
        return "faster" if self.median > 1 else "slower"


@dataclass(frozen=True)
class Summary:
    """Summary of one cell's values.

    Attributes:
        estimate: Median with its interval.
        samples: Number of values.
        mean: Mean of all values.
        smallest: Smallest value.
        largest: Largest value.
        percentiles: Percentiles for which there are enough samples, by their number.
        outliers: Number of values whose modified Z-score is over 3.5. They are counted, and not removed.
    """

    estimate: Estimate
    samples: int
    mean: float
    smallest: float
    largest: float
    percentiles: dict[int, float]
    outliers: int


def pooled(samples: Samples) -> np.ndarray:
    """Return all values."""
    return np.fromiter(chain.from_iterable(chain.from_iterable(samples)), float)


def summarise(samples: Samples) -> Summary:
    """Return the summary of one cell's values.

    Raises:
        ValueError: `samples` holds no values.
    """
    values = pooled(samples)
    if not len(values):
        raise ValueError("found no values to summarise")
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
    """Return the median of the rounds' medians, with its interval.

    The median of all values would be wrong: all rounds take the same time, so that slow rounds have fewer values.
    """
    return _estimate(_round_medians(samples))


def ratio(samples: Samples, base: Samples) -> Estimate:
    """Return how many times as long the base took, round by round.

    Args:
        samples: Samples of one cell.
        base: Samples of another cell, measured in the same rounds of the same launches. A round of only one cell is left out.

    Raises:
        ValueError: The cells have no round in common.
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
    """Return how many times as long the base took, for cells that were not measured in the same rounds."""
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
        raise ValueError("found no rounds to take a median of")
    return Estimate(float(np.median(values)), *_interval(rounds))


def _interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the 95 % interval of a median; NaN with too few rounds to know how rounds vary."""
    if sum(map(len, rounds)) < LEAST_ROUNDS:
        return float("nan"), float("nan")
    return _ends(_draw(rounds))


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(drawn, (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2))
    return float(low), float(high)


def _draw(rounds: Sequence[Sequence[float]], seed: int = _SEED) -> np.ndarray:
    """Return medians of resamples: of launches with replacement, then of the rounds of each with replacement."""
    launches = [values for values in rounds if len(values)]
    counts = np.array([len(values) for values in launches])
    table = np.full((len(launches), counts.max()), np.nan)
    for row, values in zip(table, launches, strict=True):
        row[: len(values)] = values
    random = np.random.default_rng(seed)
    chosen = random.integers(len(launches), size=(RESAMPLES, len(launches)))
    numbers = (random.random((*chosen.shape, table.shape[1])) * counts[chosen][..., None]).astype(int)
    drawn = table[chosen[..., None], numbers]
    # each launch contributes as many rounds as it had
    drawn[np.arange(table.shape[1]) >= counts[chosen][..., None]] = np.nan
    return _medians(drawn.reshape(RESAMPLES, -1))


def _medians(rows: np.ndarray) -> np.ndarray:
    """Return the median of each row, without its NaN."""
    rows = np.sort(rows, axis=1)  # NaN last
    counts = np.isfinite(rows).sum(axis=1)
    each = np.arange(len(rows))
    medians: np.ndarray = (rows[each, (counts - 1) // 2] + rows[each, counts // 2]) / 2
    return medians


def _modified_z(values: np.ndarray) -> np.ndarray:
    deviations = values - np.median(values)
    spread = float(np.median(np.abs(deviations)))
    return _MAD_OF_NORMAL * deviations / spread if spread else np.zeros_like(values)
