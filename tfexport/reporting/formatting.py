"""Numbers and lines as text: three significant digits, and an interval with as many decimals as its estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence

_DIGITS = 3


def significant(value: float) -> str:
    """Return a value with three significant digits and without an exponent: ``12.3``, ``0.0123``, ``1,234``."""
    return f"{value:,.{_decimals(value)}f}"


def bracketed(value: float, interval: tuple[float, float] | None) -> str:
    """Return the interval of a value, after a blank: ``[12.1, 12.6]``; empty when it is not known."""
    return "" if interval is None else f" [{', '.join(f'{end:,.{_decimals(value)}f}' for end in interval)}]"


def with_interval(value: float, interval: tuple[float, float] | None) -> str:
    """Return a value with its interval: ``12.3 [12.1, 12.6]``."""
    return significant(value) + bracketed(value, interval)


def percent(share: float) -> str:
    """Return a share in percent: ``3 %``."""
    return f"{100 * share:.3g} %"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 cell``, ``2 cells``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _decimals(value: float) -> int:
    return 0 if not value else max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose cells are aligned. The last cell of a shorter line is a text that does not widen a column."""
    full = max(map(len, lines), default=0)
    widths = [max(len(line[index]) for line in lines if index == 0 or len(line) == full) for index in range(full)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines]
