"""Keywords that users pass: each value is checked for its type before it is used, with one error for whatever is wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from tfexport.errors import InputsError
from tfexport.text import shortened

Reader = Callable[[str, Any], Any]
"""Function that returns the value of a keyword, checked and converted. It is called with the keyword's name and value."""
_LONGEST_VALUE = 100


def read_keywords(values: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return values as their readers return them; a keyword without a reader is taken as it is.

    Raises:
        InputsError: A value is not valid.
    """
    return {name: readers[name](name, value) if name in readers else value for name, value in values.items()}


def optional(read: Reader) -> Reader:
    """Return a reader that also accepts None."""
    return lambda name, value: None if value is None else read(name, value)


def checked_by(check: Callable[[Any], Any]) -> Reader:
    """Return a reader from a function of the value alone."""
    return lambda name, value: check(value)


def flag(name: str, value: Any) -> bool:
    """Read True or False. A text is neither: ``trust="no"`` must not be trust.

    Raises:
        InputsError: The value is another one.
    """
    if type(value).__name__ in ("bool", "bool_") or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise not_valid(name, value, "True or False")


def text(name: str, value: Any) -> str:
    """Read a text.

    Raises:
        InputsError: The value is not a text.
    """
    if isinstance(value, str):
        return value
    raise not_valid(name, value, "a text")


def name_text(name: str, value: Any) -> str:
    """Read the name of something that exists: a text that is not empty.

    Raises:
        InputsError: The value is not a text, or is empty.
    """
    found = text(name, value)
    if not found.strip():
        raise not_valid(name, value, "a name that is not empty")
    return found


def names(name: str, value: Any) -> tuple[str, ...]:
    """Read a list of names.

    Raises:
        InputsError: The value is one text, is not a list, or an item of it is not a text.
    """
    if isinstance(value, str):
        raise InputsError(f"{shown(value)} is one text; expected a list of names ({name}=[...]).")
    found: tuple[str, ...] = many(text)(name, value)
    return found


def not_negative(name: str, value: Any) -> float:
    """Read a number, zero or more.

    Raises:
        InputsError: The value is not a number, is negative, or is not finite.
    """
    number = number_of(value)
    if number is None or not 0 <= number < math.inf:
        raise not_valid(name, value, "a finite number, zero or more")
    return number


def positive(name: str, value: Any) -> float:
    """Read a number above zero.

    Raises:
        InputsError: The value is not a number, is not above zero, or is not finite.
    """
    number = number_of(value)
    if number is None or not 0 < number < math.inf:
        raise not_valid(name, value, "a finite number above zero")
    return number


def whole(least: int, most: int) -> Reader:
    """Return a reader of whole numbers within bounds, both included."""

    def read(name: str, value: Any) -> int:
        if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
            return int(value)
        raise not_valid(name, value, f"a whole number from {least} to {most:,}")

    return read


def many(read: Reader) -> Reader:
    """Return a reader of lists, each item of which is read by another reader."""

    def read_all(name: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise not_valid(name, value, "a list")
        return tuple(read(name, each) for each in value)

    return read_all


def number_of(value: Any) -> float | None:
    """Return a real number as a float; None for what is not a number, or larger than a float can be."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of 400 digits
        return None


def path(name: str, value: Any) -> Path:
    """Read a path.

    Raises:
        InputsError: The value is neither a text nor a path, or holds a null character, which no name may hold.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise not_valid(name, value, "a path")
    if "\0" in os.fspath(value):
        raise not_valid(name, value, "a path without null characters")
    return Path(value)


def path_text(name: str, value: Any) -> str:
    """Read a path, and return its text.

    Raises:
        InputsError: The value is not a path.
    """
    return str(path(name, value))


def not_valid(name: str, value: Any, expected: str) -> InputsError:
    """Return the error of a keyword whose value is not valid."""
    return InputsError(f"{name} is {shown(value)}; expected {expected} (--{name.replace('_', '-')}, {name}=...).")


def shown(value: Any) -> str:
    """Return a value for a message."""
    try:
        return shortened(repr(value), _LONGEST_VALUE)
    except (ValueError, RecursionError) as error:  # a number of too many digits, a list that holds itself
        return f"a {type(value).__name__} ({type(error).__name__})"
