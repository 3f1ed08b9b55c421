"""Text in what we print."""

from __future__ import annotations

import pytest

from tfexport.text import size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 kB"),
        (40, "0.0 kB"),
        (2_345, "2.3 kB"),
        (99_940, "99.9 kB"),
        (100_000, "0.1 MB"),
        (2_345_678_901, "2,345.7 MB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
