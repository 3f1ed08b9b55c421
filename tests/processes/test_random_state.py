"""The work of tfexport draws from streams of its own: the user's random numbers are those of a process without tfexport."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from tfexport.processes.locks import exclusive
from tfexport.processes.random_state import begin_anew


def _drawn() -> list[float]:
    return [random.random(), float(np.random.random())]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the generators to the other tests as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    yield
    random.setstate(python)
    np.random.set_state(numpy)


def _seed() -> None:
    random.seed(7)
    np.random.seed(7)


def test_the_user_draws_on() -> None:
    _seed()
    expected = [_drawn(), _drawn()]
    _seed()
    first = _drawn()
    exclusive(_drawn)()
    assert [first, _drawn()] == expected


def test_after_an_error_too() -> None:
    @exclusive
    def breaks() -> None:
        _drawn()
        raise KeyboardInterrupt

    _seed()
    expected = _drawn()
    _seed()
    with pytest.raises(KeyboardInterrupt):
        breaks()
    assert _drawn() == expected


def test_the_own_streams_go_on_from_call_to_call_and_can_begin_anew() -> None:
    @exclusive
    def anew() -> list[float]:
        begin_anew()
        return _drawn()

    first = anew()
    second = exclusive(_drawn)()
    assert second != first  # a model that draws numbers is not the same twice
    _seed()
    assert anew() == first
    assert exclusive(_drawn)() == second


def test_a_call_within_a_call_belongs_to_it() -> None:
    inner = exclusive(_drawn)

    @exclusive
    def twice() -> list[list[float]]:
        begin_anew()
        return [inner(), inner(), _drawn()]

    @exclusive
    def at_once() -> list[list[float]]:
        begin_anew()
        return [_drawn(), _drawn(), _drawn()]

    assert twice() == at_once()


def test_a_generator_of_torch() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    try:
        torch.manual_seed(7)
        expected = float(torch.rand(()))
        torch.manual_seed(7)
        exclusive(torch.rand)(3)
        assert float(torch.rand(())) == expected
    finally:
        torch.set_rng_state(before)
