"""Compare two results files: which cells became faster or slower, and which have lost their number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import geometric_mean
from typing import Any, Literal

from tfexport.benchmark import statistics
from tfexport.benchmark.conditions import differences
from tfexport.benchmark.report.table import BUSY, MEASURED, Interval, others_cpus
from tfexport.errors import ResultsError, abbreviate
from tfexport.keywords import not_negative
from tfexport.reporting.formatting import aligned, plural, significant, with_interval

Verdict = Literal[
    "faster", "slower", "no difference", "unknown", "lost", "gained", "no number", "only in old", "only in new"
]
"""faster, slower: the interval of the ratio excludes 1, and the ratio is beyond the margin. unknown: there were too few rounds.
lost: measured before, and refused or failed now; gained: the reverse. no number: measured in neither file."""
REGRESSIONS: tuple[Verdict, ...] = ("slower", "lost")
COLUMNS = ("cell", "old ms", "new ms", "times as fast", "verdict")
_LEAST_LAUNCHES = 3
"""Launches from which a comparison is reliable. In a simulation, processes differed by 2 %, and an engine was compared with
itself. One comparison in eight found a difference with two launches, one in twelve with three, one in eighty with five."""


@dataclass(frozen=True)
class Change:
    """One cell of either file.

    Attributes:
        key: Key of the cell.
        engine: Name within its group; empty for a cell that is only in one file.
        verdict: Verdict on the new file.
        old_ms: Median in the old file; None when it has none.
        new_ms: Median in the new file; None when it has none.
        times_as_fast: Ratio of old to new time, below 1 when the cell became slower; None when a file has no number.
        interval: 95 % interval of the ratio; None when it is not known.
        problem: Reason why it has no number in the new file; None when it has one.
    """

    key: str
    engine: str
    verdict: Verdict
    old_ms: float | None = None
    new_ms: float | None = None
    times_as_fast: float | None = None
    interval: Interval | None = None
    problem: str | None = None

    @property
    def row(self) -> tuple[str, ...]:
        """Cells of a table with `COLUMNS`."""
        old, new = ("" if value is None else significant(value) for value in (self.old_ms, self.new_ms))
        times = "" if self.times_as_fast is None else with_interval(self.times_as_fast, self.interval)
        verdict = f"{self.verdict}: {self.problem}" if self.verdict == "lost" else self.verdict
        return self.key, old, new, times, verdict


@dataclass(frozen=True)
class Comparison:
    """Comparison of two results files.

    Attributes:
        changes: All cells in the order of the new file, then those that are only in the old one.
        warnings: Other differences and disturbances, which may have changed the times.
    """

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """Cells that became slower or lost their number."""
        return tuple(change for change in self.changes if change.verdict in REGRESSIONS)

    @property
    def geometric_mean(self) -> float | None:
        """Geometric mean of the ratios of all cells that both files measured; None when there is none."""
        return _mean(self.changes)

    @property
    def by_engine(self) -> dict[str, float]:
        """Geometric mean by engine. If an engine that nobody changed became slower too, the machine did."""
        engines = dict.fromkeys(change.engine for change in self.changes)
        means = {engine: _mean(change for change in self.changes if change.engine == engine) for engine in engines}
        return {engine: mean for engine, mean in means.items() if mean is not None}

    def lines(self) -> list[str]:
        """Return lines for a terminal: warnings, every cell, the means, and the regressions at the end."""
        lines = [f"warning: {warning}" for warning in self.warnings]
        lines += aligned([COLUMNS, *(change.row for change in self.changes)])
        verdicts = [change.verdict for change in self.changes]
        lines.append(", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts)))
        if self.geometric_mean is not None:
            engines = ", ".join(f"{engine} {significant(mean)}" for engine, mean in self.by_engine.items())
            lines.append(f"geometric mean: {significant(self.geometric_mean)} times as fast as before ({engines})")
        regressions = abbreviate(change.key for change in self.regressions)
        lines.append(f"regressions: {regressions}" if regressions else "no regression")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as values of JSON."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "regressions": [change.key for change in self.regressions],
            "geometric_mean": self.geometric_mean,
            "by_engine": self.by_engine,
            "warnings": list(self.warnings),
        }


def compare(old: Mapping[str, Any], new: Mapping[str, Any], margin: float = statistics.MARGIN) -> Comparison:
    """Compare two results documents, cell by cell.

    Args:
        old: Document as in ``results.schema.json``.
        new: Later document of the same form.
        margin: Smallest difference of a ratio from 1 that counts, whatever its interval.

    Raises:
        ResultsError: The documents have no cell in common.
        InputsError: The margin is not a finite number, zero or more.
    """
    margin = not_negative("margin", margin)
    before, after = _cells(old), _cells(new)
    if not before.keys() & after.keys():
        raise ResultsError(
            f"the two results have no cell in common. The old one has {abbreviate(before, 3) or 'none'}; the new one has "
            f"{abbreviate(after, 3) or 'none'}. Measure the same targets under the same names at the same settings."
        )
    keys = dict.fromkeys([*after, *before])
    return Comparison(
        tuple(_change(key, before.get(key), after.get(key), margin) for key in keys),
        (*differences(old, new), *_other_files(old, new), *_doubts("old", before), *_doubts("new", after)),
    )


def _cells(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {cell["key"]: cell for group in document["groups"] for cell in group["cells"]}


def _change(key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, margin: float) -> Change:
    if old is None or new is None:
        return Change(key, "", "only in new" if old is None else "only in old", _median(old), _median(new))
    old_ms, new_ms = _median(old), _median(new)
    if old_ms is None or new_ms is None:
        verdict: Verdict = "lost" if old_ms is not None else "gained" if new_ms is not None else "no number"
        return Change(key, new["name"], verdict, old_ms, new_ms, problem=new["problem"])
    found = statistics.unpaired_ratio(_samples(new), _samples(old))
    interval = (found.low, found.high) if found.known else None
    return Change(key, new["name"], found.verdict(margin), old_ms, new_ms, found.median, interval)


def _median(cell: Mapping[str, Any] | None) -> float | None:
    return None if cell is None or cell["status"] != MEASURED else float(cell["summary"]["median_ms"])


def _samples(cell: Mapping[str, Any]) -> Sequence[Sequence[Sequence[float]]]:
    return [launch["rounds_us"] for launch in cell["launches"]]


def _mean(changes: Iterable[Change]) -> float | None:
    ratios = [change.times_as_fast for change in changes if change.times_as_fast is not None]
    return geometric_mean(ratios) if ratios else None


def _other_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    """Yield a warning per file of a target that changed."""
    before = {target["name"]: target["files"] for target in old["targets"]}
    for target in new["targets"]:
        for name, file in target["files"].items():
            known = before.get(target["name"], {}).get(name)
            if known is not None and known["sha256"] != file["sha256"]:
                yield f"{target['name']}: {name} is not the same file as before"


def _doubts(which: str, cells: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """Yield the reasons to doubt the times of one file."""
    launches = [cell["launches"] for cell in cells.values() if cell["status"] == MEASURED]
    few = sum(len(each) < _LEAST_LAUNCHES for each in launches)
    if few:
        yield (
            f"the {which} results have {plural(few, 'cell')} with fewer than {_LEAST_LAUNCHES} launches, too few to know how "
            "much processes differ: a difference may be chance"
        )
    busy = max((others_cpus(each) or 0.0 for each in launches), default=0.0)
    if busy >= BUSY:
        yield f"other processes kept up to {busy:.1f} processors busy while the {which} results were measured"
