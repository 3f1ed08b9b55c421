"""Numbers and lines as people read them: three digits that count, and an interval in the digits of its estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence

_DIGITS = 3


def significant(value: float) -> str:
    """Three significant digits, and no exponent: ``12.3``, ``0.0123``, ``1,234``."""
    return f"{value:,.{_decimals(value)}f}"


def bracketed(value: float, interval: tuple[float, float] | None) -> str:
    """The interval of a value, after a blank: ``[12.1, 12.6]``; nothing where it is not known."""
    return "" if interval is None else f" [{', '.join(f'{end:,.{_decimals(value)}f}' for end in interval)}]"


def with_interval(value: float, interval: tuple[float, float] | None) -> str:
    """``12.3 [12.1, 12.6]``."""
    return significant(value) + bracketed(value, interval)


def percent(share: float) -> str:
    """``3 %``."""
    return f"{100 * share:.3g} %"


def plural(count: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _decimals(value: float) -> int:
    return 0 if not value else max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells under each other. A line of fewer cells than the others ends in a text, which widens no column."""
    full = max(map(len, lines), default=0)
    widths = [max(len(line[index]) for line in lines if index == 0 or len(line) == full) for index in range(full)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines]
