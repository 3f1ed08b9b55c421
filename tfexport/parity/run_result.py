"""The result of running one corner: recorded while it runs, and frozen before it leaves its process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from tfexport.processes.memory import peak_rss_mib
from tfexport.validation import Case


@dataclass
class PartRecord:
    """Record of one part of the model, made while a corner runs it.

    An attribute that is None was not determined. See `RunResult` for the others.
    """

    cases: list[Case] | None = None
    labels: dict[str, dict[int, str]] | None = None
    problems: dict[int, str] = field(default_factory=dict)
    structure: list[str] | None = None
    padding: dict[str, float] | None = None
    spread: dict[str, float] | None = None
    unvaried: list[str] | None = None


@dataclass(frozen=True)
class RunResult:
    """Result of one corner. It is immutable: mappings are read-only and sequences are tuples.

    Every mapping but `about` has the parts of the model as its keys, without the parts for which nothing was determined.

    Attributes:
        about: Facts about the computation: class, versions, providers.
        cases: Cases that were run, with the shapes that their inputs really have.
        labels: Names of the axes of inputs and outputs, by tensor and axis.
        problems: Reason why a case could not be run, by the number of the case.
        structure: Faults that the file has before it computes anything.
        padding: Largest change of each output by padding. A part whose rows cannot be cut has none.
        spread: Largest difference between two runs of the first case, for each output that differs at all.
        unvaried: Dynamic axes of the file that had the same length in all cases.
        peak_rss_mib: Peak resident memory of the process, in MiB.
        grown_mib: Part of it that the run added, in MiB.
        seconds: Time that the run took.
    """

    about: Mapping[str, Any] = field(default_factory=dict)
    cases: Mapping[str, tuple[Case, ...]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, Mapping[int, str]]] = field(default_factory=dict)
    problems: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    structure: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    padding: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spread: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unvaried: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    peak_rss_mib: float = 0.0
    grown_mib: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _frozen(getattr(self, each.name)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be pickled: they are sent as dictionaries and frozen again where they arrive.
        return type(self), tuple(thawed(getattr(self, each.name)) for each in fields(self))

    @classmethod
    def of(cls, about: Mapping[str, Any], records: Mapping[str, PartRecord]) -> RunResult:
        """Return the result that the records of all parts amount to."""
        by_field: dict[str, Any] = {each.name: _by_part(records, each.name) for each in fields(PartRecord)}
        return replace(cls(about, **by_field), peak_rss_mib=peak_rss_mib())


def thawed(value: Any) -> Any:
    """Return a mutable copy: dictionaries in place of mappings, and lists in place of tuples."""
    if isinstance(value, Mapping):
        return {name: thawed(each) for name, each in value.items()}
    return [thawed(each) for each in value] if isinstance(value, tuple | list) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, tuple | list) else value


def _by_part(records: Mapping[str, PartRecord], name: str) -> dict[str, Any]:
    found = {part: getattr(record, name) for part, record in records.items()}
    return {part: value for part, value in found.items() if value is not None}
