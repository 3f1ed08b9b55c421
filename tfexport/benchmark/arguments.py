"""Values of the command line's arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tfexport.benchmark.targets import Request
from tfexport.errors import InputsError
from tfexport.keywords import shown


def texts(value: str | None) -> tuple[str, ...] | None:
    """Return the items of a comma-separated list; None for None."""
    return None if value is None else tuple(each.strip() for each in value.split(",") if each.strip())


def numbers(option: str, value: str | None) -> tuple[int, ...] | None:
    """Return the whole numbers of a comma-separated list; None for None.

    Raises:
        InputsError: An item is not a whole number.
    """
    found = texts(value)
    try:
        return None if found is None else tuple(map(int, found))
    except ValueError as error:
        raise InputsError(f"{option} is {shown(value)}. Expected whole numbers, for example 1,8.") from error


def as_requests(
    targets: Iterable[str],
    feature: str,
    framework: str | None,
    reference: str | None,
    axes: Iterable[str],
    model_type: str | None = None,
) -> list[Request]:
    """Return targets as a command line names them: ``PATH`` or ``NAME=PATH``.

    Raises:
        InputsError: An axis has no length.
    """
    lengths = dict(_axis(each) for each in axes)
    found = []
    for target in targets:
        name, separator, path = target.partition("=")
        name, path = (name, path) if separator and "/" not in name else ("", target)
        found.append(Request(path, name, feature, framework, reference, model_type, lengths))
    return found


def _axis(text: str) -> tuple[str, int]:
    name, _, length = text.rpartition("=")
    if not name or not re.fullmatch(r"0*[1-9][0-9]{0,9}", length):
        raise InputsError(f"--axis is {shown(text)}. Expected NAME=LENGTH, for example audio_frames=100.")
    return name, int(length)
