"""The end of warming up. No time is measured: calls return made-up times."""

from __future__ import annotations

from collections.abc import Iterator

from tfexport.benchmark.sampling import is_steady, warm_up


def calls(*values: float) -> Iterator[float]:
    yield from values
    while True:
        yield values[-1]


def test_ends_when_calls_take_as_long_as_those_before() -> None:
    found = warm_up(calls(900.0, 300.0, 150.0, 110.0, 103.0, 100.0).__next__, seconds=1e6)
    assert found.steady
    assert len(found.values) == 13  # the median of the last five, and that of the five before them, are 100


def test_calls_that_keep_getting_faster_are_not_steady() -> None:
    found = warm_up(calls(*(0.9**index for index in range(400))).__next__, calls=50)
    assert (len(found.values), found.steady) == (50, False)


def test_ends_at_the_limit_of_time() -> None:
    found = warm_up(
        calls(*(float(10 - index % 2 * 9) * (1 + index) for index in range(40))).__next__, seconds=0.02, per_second=1000
    )
    assert not found.steady
    assert sum(found.values[:-1]) < 20 <= sum(found.values)


def test_one_slow_call_among_steady_ones_is_not_a_trend() -> None:
    assert is_steady([10.0] * 7 + [90.0] + [10.0] * 2)


def test_few_calls_are_not_enough() -> None:
    assert not is_steady([10.0] * 9)
