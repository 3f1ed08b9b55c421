"""Text in what we print: control characters of others escaped, long names shortened, sizes in their unit."""

from __future__ import annotations

import unicodedata

_LEAST_MEGABYTES = 100_000
_KEPT = "\n\t"
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
"""Categories of Unicode: controls, halves of surrogate pairs (bytes of a name that are not UTF-8), separators of lines."""
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that let a line read in another order than its characters have."""
_ELLIPSIS = " [... {} more characters ...] "


class Lasting(str):
    """What a progress function is told and a terminal keeps on its screen: a finding, not the name of a step."""

    __slots__ = ()


def printable(text: str) -> str:
    r"""Escape what would act on a terminal: ESC becomes ``\x1b``, and a byte that is not UTF-8 ``\xff``. Line feeds stay."""
    return text if text.isascii() and text.isprintable() else "".join(map(_escaped, text))


def shortened(text: str, limit: int) -> str:
    """Return a text with at most about `limit` characters: a longer one loses its middle, and says how much."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}{_ELLIPSIS.format(len(text) - 2 * half)}{text[-half:]}"


def size_text(size: int) -> str:
    """Return a number of bytes for people: ``45.1 MB``; below 0.1 MB in ``kB``."""
    return f"{size / 1e6:,.1f} MB" if size >= _LEAST_MEGABYTES else f"{size / 1e3:.1f} kB"


def _escaped(character: str) -> str:
    if character in _KEPT:
        return character
    if "\udc80" <= character <= "\udcff":  # how Python reads a byte of a file name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in _DIRECTIONS or unicodedata.category(character) in _CONTROLS:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character
