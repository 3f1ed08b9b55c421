"""Suites: targets and settings in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tfexport.benchmark.targets import Request
from tfexport.errors import InputsError

_SINGLE: dict[str, Any] = {"launches": int, "round_s": (int, float), "time_limit_s": (int, float)}
"""Options that are a single number; the others are lists."""
_OF_ALL = ("launches", "round_s", "time_limit_s")
_TARGET = ("path", "name", "feature", "framework", "reference", "axes")


@dataclass(frozen=True)
class Options:
    """Options of a measurement. None is the default of the target.

    Attributes:
        engines: Names of engines, or ``module:Class``. The first is compared with the others.
        providers: Execution providers: ``cpu``, ``cuda``.
        batch_sizes: Samples per call.
        sequence_lengths: Tokens per row.
        threads: Numbers of threads, or ``all`` for every processor that may be used.
        boundaries: ``host``, ``device``, or both.
        streams: Calls that run at the same time.
        precisions: fp32, tf32, bf16, fp16.
        tokens: Tokens that a text-generation model writes per call; 1 measures the time to the first token.
        launches: Processes of each cell.
        round_s: Seconds for which a cell makes calls in a round.
        time_limit_s: Seconds after which no round begins.
    """

    engines: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    batch_sizes: tuple[int, ...] | None = None
    sequence_lengths: tuple[int, ...] | None = None
    threads: tuple[int | str, ...] | None = None
    boundaries: tuple[str, ...] | None = None
    streams: tuple[int, ...] | None = None
    precisions: tuple[str, ...] | None = None
    tokens: tuple[int, ...] | None = None
    launches: int | None = None
    round_s: float | None = None
    time_limit_s: float | None = None

    def over(self, others: Options) -> Options:
        """Return these options, with those of others in place of None."""
        mine = {each.name: getattr(self, each.name) for each in fields(self)}
        return Options(**{name: getattr(others, name) if value is None else value for name, value in mine.items()})


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        name: Name of the results.
        options: Options of all targets.
        targets: Targets, each with options of its own, which take precedence.
    """

    name: str
    options: Options
    targets: tuple[tuple[Request, Options], ...] = field(default=())


def read_suite(path: Path) -> Suite:
    """Read a suite.

    ::

        name = "cpu"
        engines = ["ort", "tf-function"]      # any of `Options`
        [[targets]]
        path = "../exports/minilm"            # relative to the file
        batch_sizes = [1, 8]                  # only of this target

    Raises:
        InputsError: The file is not TOML, or an option in it is not valid.
    """
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputsError(
            f"{path} is not a suite that can be read: {error}. Expected a TOML file (--suite)."
        ) from error
    name, targets = document.pop("name", path.stem), document.pop("targets", [])
    if not isinstance(targets, list) or not all(isinstance(each, dict) and "path" in each for each in targets):
        raise InputsError(f"{path}: a [[targets]] table has no path. Expected a path in each of them.")
    return Suite(str(name), _options(document, path), tuple(_target(each, path) for each in targets))


def _target(values: Mapping[str, Any], path: Path) -> tuple[Request, Options]:
    named = {name: value for name, value in values.items() if name in _TARGET}
    for name in ("path", "reference"):
        if name in named and (path.parent / named[name]).exists():
            named[name] = str(path.parent / named[name])
    for name in _OF_ALL:
        if name in values:
            raise InputsError(
                f"{path}: a target sets {name}, which applies to all targets. Move it to the top of the suite."
            )
    return Request(**named), _options({name: value for name, value in values.items() if name not in _TARGET}, path)


def _options(values: Mapping[str, Any], path: Path) -> Options:
    known = [each.name for each in fields(Options)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise InputsError(
            f"{path}: a suite does not have the option {', '.join(unknown)}. Expected {', '.join(known)}, or in targets "
            f"{', '.join(_TARGET)}."
        )
    return Options(**{name: _checked(name, value, path) for name, value in values.items()})


def _checked(name: str, value: Any, path: Path) -> Any:
    """Return the value of an option.

    Raises:
        InputsError: It is not of the option's type.
    """
    kind = _SINGLE.get(name)
    if kind is None and isinstance(value, list):
        return tuple(value)
    if kind is not None and isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise InputsError(f"{path}: {name} is {value!r}. Expected {'a list' if kind is None else 'a number'}.")
