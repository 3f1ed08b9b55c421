"""What a command line says, as values."""

from __future__ import annotations

from collections.abc import Iterable

from tfexport.benchmark.targets import Request
from tfexport.errors import InputsError


def texts(value: str | None) -> tuple[str, ...] | None:
    """A comma-separated list; None for none."""
    return None if value is None else tuple(each.strip() for each in value.split(",") if each.strip())


def numbers(option: str, value: str | None) -> tuple[int, ...] | None:
    """A comma-separated list of whole numbers; None for none.

    Raises:
        InputsError: it holds something else.
    """
    found = texts(value)
    try:
        return None if found is None else tuple(map(int, found))
    except ValueError as error:
        raise InputsError(f"{option} is {value!r}; expected whole numbers, as 1,8.") from error


def as_requests(
    targets: Iterable[str], feature: str, framework: str | None, reference: str | None, axes: Iterable[str]
) -> list[Request]:
    """Targets as they are named on a command line: ``PATH``, or ``NAME=PATH``.

    Raises:
        InputsError: an axis without a length.
    """
    lengths = dict(_axis(each) for each in axes)
    found = []
    for target in targets:
        name, separator, path = target.partition("=")
        name, path = (name, path) if separator and "/" not in name else ("", target)
        found.append(Request(path, name, feature, framework, reference, lengths))
    return found


def _axis(text: str) -> tuple[str, int]:
    name, _, length = text.rpartition("=")
    if not name or not length.isdigit() or int(length) < 1:
        raise InputsError(f"--axis is {text!r}; expected NAME=LENGTH, as audio_frames=100.")
    return name, int(length)
