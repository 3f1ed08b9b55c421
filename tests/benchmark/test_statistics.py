"""The arithmetic of the benchmark, on values of known distributions. No time is measured."""

from __future__ import annotations

import numpy as np
import pytest

from tfexport.benchmark.statistics import median_of, ratio, summarise, unpaired_ratio

Samples = list[list[list[float]]]


def drawn(seed: int, centre: float = 100.0, launch: float = 0.01, noise: float = 0.03, launches: int = 3) -> Samples:
    """Return launches of ten rounds of five values. Each launch has a random factor, and each value another one."""
    random = np.random.default_rng(seed)
    return [
        (centre * (1 + launch * random.standard_normal()) * np.exp(noise * random.standard_normal((10, 5)))).tolist()
        for _ in range(launches)
    ]


def drifting(seed: int, factor: float = 1.0) -> tuple[Samples, Samples]:
    """Return two cells of the same rounds on a machine that becomes 40 % slower in the meantime."""
    random = np.random.default_rng(seed)
    drift = np.linspace(1.0, 1.4, 12)[:, None]

    def cell(centre: float) -> Samples:
        return [(centre * drift * np.exp(0.02 * random.standard_normal((12, 5)))).tolist() for _ in range(3)]

    return cell(100.0), cell(100.0 * factor)


class TestMedian:
    def test_is_numpys(self) -> None:
        assert median_of([[[1.0, 5.0], [3.0]], [[2.0, 4.0]]]).median == 3.0

    def test_a_round_of_many_fast_calls_counts_as_one_of_few_slow_ones(self) -> None:
        rounds = [[[1.0] * 9, [3.0], [3.0]], [[1.0] * 9, [3.0], [3.0]]]
        found = median_of(rounds)
        assert found.low <= found.median == 3.0 <= found.high

    def test_the_interval_holds_the_true_median_as_often_as_it_says(self) -> None:
        """At least nine in ten of the 95 % intervals, since the number of launches is small."""
        held = sum((found := median_of(drawn(seed, launches=6))).low <= 100.0 <= found.high for seed in range(200))
        assert 180 <= held <= 200

    def test_launches_that_differ_widen_it(self) -> None:
        alike, apart = median_of(drawn(1, launch=0.0)), median_of(drawn(1, launch=0.1))
        assert apart.half_width > 2 * alike.half_width

    @pytest.mark.parametrize(("rounds", "known"), [(4, False), (5, True)])
    def test_few_rounds_have_no_interval(self, rounds: int, known: bool) -> None:
        found = median_of([[[1.0, 2.0, 3.0]] * rounds])
        assert (found.median, found.known) == (2.0, known)
        assert ratio([[[1.0]] * rounds], [[[2.0]] * rounds]).verdict() == ("faster" if known else "unknown")


class TestRatio:
    def test_is_of_the_two_of_a_round(self) -> None:
        """In the second round the machine was half as fast for both cells."""
        found = ratio([[[1.0], [2.0], [1.0]], [[1.0], [1.0]]], [[[5.0], [10.0], [5.0]], [[5.0], [5.0]]])
        assert (found.median, found.low, found.high, found.verdict()) == (5.0, 5.0, 5.0, "faster")

    def test_the_same_is_no_difference(self) -> None:
        verdicts = [ratio(*drifting(seed)).verdict() for seed in range(100)]
        assert verdicts.count("no difference") >= 95

    def test_five_percent_are_found_however_the_machine_drifts(self) -> None:
        assert {ratio(*drifting(seed, 1.05)).verdict() for seed in range(50)} == {"faster"}

    def test_one_percent_is_no_difference_that_matters(self) -> None:
        found = ratio([[[100.0]] * 5], [[[101.0]] * 5])
        assert found.low > 1
        assert found.verdict() == "no difference"
        assert found.verdict(margin=0.005) == "faster"

    def test_rounds_of_only_one_cell_are_left_out(self) -> None:
        assert ratio([[[1.0], [1.0], [9.0]]], [[[2.0], [2.0]]]).median == 2.0

    def test_no_round_in_common_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no rounds"):
            ratio([[[1.0]]], [[]])

    def test_of_two_runs_is_wider(self) -> None:
        """Drift does not cancel between runs."""
        new, old = drifting(3, 1.05)
        assert unpaired_ratio(new, old).half_width > 2 * ratio(new, old).half_width


class TestSummary:
    @pytest.mark.parametrize(
        ("count", "given"), [(63, []), (64, [90]), (129, [90]), (130, [90, 95]), (661, [90, 95]), (662, [90, 95, 99])]
    )
    def test_a_percentile_needs_its_samples(self, count: int, given: list[int]) -> None:
        values = np.random.default_rng(0).random(count).tolist()
        found = summarise([[values]])
        assert list(found.percentiles) == given
        assert all(found.percentiles[number] == np.percentile(values, number) for number in given)

    def test_outliers_are_counted_and_stay_in(self) -> None:
        values = [10.0, 10.1, 9.9, 10.05, 9.95, 50.0]
        found = summarise([[values]])
        assert (found.outliers, found.largest, found.samples) == (1, 50.0, 6)
        assert found.mean == pytest.approx(np.mean(values))

    def test_equal_values_have_none(self) -> None:
        assert summarise([[[1.0] * 9 + [2.0]]]).outliers == 0

    def test_nothing_cannot_be_summarised(self) -> None:
        with pytest.raises(ValueError, match="no values"):
            summarise([[]])
