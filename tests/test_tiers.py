"""The quick tier and the whole."""

from __future__ import annotations

import pytest

from tests.tiers import QUICK, SLOW, TESTS, is_slow


@pytest.mark.parametrize("entry", [*SLOW, *QUICK])
def test_every_entry_is_there(entry: str) -> None:
    path, _, name = entry.partition("::")
    assert (TESTS / path).exists()
    assert f"def {name.partition('[')[0]}(" in (TESTS / path).read_text() if name else True


@pytest.mark.parametrize("entry", QUICK)
def test_a_quick_test_is_an_exception_to_a_slow_entry(entry: str) -> None:
    assert not is_slow(entry)
    assert any(entry.startswith((f"{slow}/", f"{slow}::")) for slow in SLOW)


def test_new_files_are_quick_until_they_are_listed() -> None:
    assert not is_slow("graph/test_new.py::test_it")
    assert is_slow("backends/test_new.py::test_it")


def test_every_test_is_in_the_whole_and_at_most_in_the_quick_tier(request: pytest.FixtureRequest) -> None:
    """The tiers differ by the mark only: no test can be in neither of them."""
    for item in request.session.items:
        identifier = item.nodeid.removeprefix("tests/")
        assert (item.get_closest_marker("slow") is not None) >= is_slow(identifier)
