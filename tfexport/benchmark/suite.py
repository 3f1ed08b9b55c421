"""Suites: targets and settings in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tfexport.benchmark.targets import Request
from tfexport.errors import InputsError, UnknownFrameworkError, UnreadableFileError
from tfexport.files.places import exists
from tfexport.files.reading import read_text
from tfexport.keywords import Reader, checked_by, many, names, optional, positive, read_keywords, shown, whole
from tfexport.processes.isolation import check_seconds

MOST_PARALLEL = 1024
"""Threads of an engine, and streams, each of which is a thread. More would measure how threads are started."""
_LONGEST = 2**31 - 1
_MOST_LAUNCHES = 1000
_OF_ALL = ("launches", "round_s", "time_limit_s")
_TARGET = ("path", "name", "feature", "framework", "reference", "model_type", "axes")


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

    Raises:
        InputsError: A value is not of its type, or out of its bounds.
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

    def __post_init__(self) -> None:
        for name, value in read_keywords(vars(self), _READERS).items():
            object.__setattr__(self, name, value)

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
        document = tomllib.loads(read_text(path))
    except (UnreadableFileError, ValueError, RecursionError) as error:  # a RecursionError for lists in lists
        raise InputsError(
            f"{path} is not a suite that can be read: {error}. Expected a TOML file (--suite)."
        ) from error
    name, targets = document.pop("name", path.stem), document.pop("targets", [])
    if not isinstance(name, str):
        raise InputsError(f"{path}: name is {shown(name)}. Expected a text.")
    if not isinstance(targets, list) or not all(isinstance(each, dict) and "path" in each for each in targets):
        raise InputsError(f"{path}: a [[targets]] table has no path. Expected a path in each of them.")
    try:
        return Suite(name, _options(document, path), tuple(_target(each, path) for each in targets))
    except (InputsError, UnknownFrameworkError) as error:
        raise InputsError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error


def _target(values: Mapping[str, Any], path: Path) -> tuple[Request, Options]:
    for name in _OF_ALL:
        if name in values:
            raise InputsError(
                f"{path}: a target sets {name}, which applies to all targets. Move it to the top of the suite."
            )
    request = Request(**{name: value for name, value in values.items() if name in _TARGET})
    own = _options({name: value for name, value in values.items() if name not in _TARGET}, path)
    return replace(
        request, path=_beside(path, request.path) or request.path, reference=_beside(path, request.reference)
    ), own


def _beside(suite: Path, named: str | None) -> str | None:
    """Return a path relative to a suite where there is such a file; a hub id as it is."""
    if named is None:
        return None
    beside = suite.parent / named
    return str(beside) if exists(beside) else named


def _options(values: Mapping[str, Any], path: Path) -> Options:
    known = [each.name for each in fields(Options)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise InputsError(
            f"{path}: a suite does not have the option {', '.join(unknown)}. Expected {', '.join(known)}, or in targets "
            f"{', '.join(_TARGET)}."
        )
    return Options(**values)


def _thread(name: str, value: Any) -> int | str:
    return value if isinstance(value, str) else whole(1, MOST_PARALLEL)(name, value)


_READERS: dict[str, Reader] = {
    "engines": optional(names),
    "providers": optional(names),
    "batch_sizes": optional(many(whole(1, _LONGEST))),
    "sequence_lengths": optional(many(whole(1, _LONGEST))),
    "threads": optional(many(_thread)),
    "boundaries": optional(names),
    "streams": optional(many(whole(1, MOST_PARALLEL))),
    "precisions": optional(names),
    "tokens": optional(many(whole(1, _LONGEST))),
    "launches": optional(whole(1, _MOST_LAUNCHES)),
    "round_s": optional(positive),
    "time_limit_s": optional(checked_by(check_seconds)),
}
