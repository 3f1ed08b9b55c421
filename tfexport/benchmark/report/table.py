"""A results document as tables of rows: a table for each target, a row for each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from statistics import geometric_mean, mean, median
from typing import Any

from tfexport.benchmark.cells import Setting, setting_from
from tfexport.benchmark.sampling import PRECISION
from tfexport.benchmark.statistics import OUTLIER_SCORE
from tfexport.reporting.formatting import percent

MEASURED = "measured"
VERDICTS = ("faster", "slower", "no difference", "unknown")
BUSY = 0.2
"""Processors that others kept busy from which a row says so."""
MANY_OUTLIERS = 0.05
"""Share of the values from which a row says so."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Times:
    """What was measured of one cell.

    Attributes:
        median_ms: of all calls.
        interval_ms: of the median, 95 %; None of a single round.
        mean_ms: of all calls.
        smallest_ms: of all calls.
        largest_ms: of all calls.
        percentiles_ms: by name (``p90``), those that the number of calls can bear.
        samples: number of calls.
        outliers: of them, by the modified Z-score; they stay in.
        samples_per_s: rows of all calls over wall time.
        tokens_per_s: written over wall time; None where no text is written, or one token of it.
        precise: whether the median is known as well as it was to be.
        launches: number of processes.
        steady: of them, those whose calls became steady while they warmed up.
        rounds: of all launches.
        others_cpus: processors that others kept busy in the rounds, on average; None where it could not be told.
        values_ms: every call.
    """

    median_ms: float
    interval_ms: Interval | None
    mean_ms: float | None
    smallest_ms: float | None
    largest_ms: float | None
    percentiles_ms: Mapping[str, float]
    samples: int
    outliers: int
    samples_per_s: float
    tokens_per_s: float | None
    precise: bool
    launches: int
    steady: int
    rounds: int
    others_cpus: float | None
    values_ms: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True)
class Against:
    """How the first engine of a group compares with another one.

    Attributes:
        engine: the first one.
        times_as_fast: as the other one; below 1 when it is slower.
        interval: 95 %; None of a single round.
        verdict: of `VERDICTS`, on the first one.
        break_even_calls: from which on the first one has paid for export and loading; None when it never does.
    """

    engine: str
    times_as_fast: float
    interval: Interval | None
    verdict: str
    break_even_calls: int | None


@dataclass(frozen=True)
class Cold:
    """Medians over the launches of what is paid once.

    Attributes:
        import_s: importing the framework.
        load_s: loading the model.
        first_call_ms: the first call.
        total_s: all three.
    """

    import_s: float
    load_s: float
    first_call_ms: float
    total_s: float


@dataclass(frozen=True)
class Memory:
    """The largest of the launches.

    Attributes:
        base_rss_mib: resident before the framework's import.
        peak_rss_mib: peak up to the end of the first call.
        gpu_mib: on GPUs after it; None where it could not be told.
    """

    base_rss_mib: float
    peak_rss_mib: float
    gpu_mib: float | None


@dataclass(frozen=True)
class Row:
    """One cell.

    Attributes:
        key: the same in every results file.
        setting: of its group.
        engine: its name within the group: with the provider, unless that is the CPU.
        provider: where it computes.
        status: ``measured``, ``refused`` or ``failed``.
        problem: why it has no number.
        max_abs_error: of its outputs against the reference's; None of a text, and where they were not compared.
        times: None where it has no number.
        against: how the first engine compares with this one; None of the first, and where one of the two has no number.
        cold: None where it was not loaded.
        memory: None where it was not loaded.
        notes: what a reader must know of its number.
    """

    key: str
    setting: Setting
    engine: str
    provider: str
    status: str
    problem: str | None
    max_abs_error: float | None
    times: Times | None
    against: Against | None
    cold: Cold | None
    memory: Memory | None
    notes: tuple[str, ...]

    @property
    def target(self) -> str:
        """What is measured."""
        return self.setting.target


@dataclass(frozen=True)
class Group:
    """The rows of one setting: what is compared."""

    setting: Setting
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """The setting within its target: ``8x128, 2 threads, host``."""
        label = self.setting.name.removeprefix(f"{self.setting.target}, ")
        return f"{label} (time to first token)" if self.setting.tokens == 1 else label


@dataclass(frozen=True)
class Headline:
    """One engine beside the first one, over all settings of a target.

    Attributes:
        first: name of the first engine.
        other: name of the other one.
        against: their comparisons, one a setting.
        problem: why there is none; None when there is one.
    """

    first: str
    other: str
    against: tuple[Against, ...]
    problem: str | None

    @property
    def times_as_fast(self) -> float:
        """Geometric mean over the settings."""
        return geometric_mean(each.times_as_fast for each in self.against)

    @property
    def verdicts(self) -> dict[str, int]:
        """In how many settings which verdict was reached."""
        reached = [each.verdict for each in self.against]
        return {verdict: reached.count(verdict) for verdict in VERDICTS if verdict in reached}

    @property
    def verdict(self) -> str:
        """The one of all settings; ``mixed`` where they differ, empty where there is none."""
        reached = tuple(self.verdicts)
        return reached[0] if len(reached) == 1 else "mixed" if reached else ""


@dataclass(frozen=True)
class Table:
    """The groups of one target."""

    target: str
    groups: tuple[Group, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Of all groups."""
        return tuple(chain.from_iterable(group.rows for group in self.groups))

    @property
    def engines(self) -> tuple[str, ...]:
        """Names, the first of them that which the others are compared with."""
        return tuple(dict.fromkeys(row.engine for row in self.rows))

    @property
    def writes(self) -> bool:
        """Whether text is written."""
        return any(group.setting.tokens for group in self.groups)

    @property
    def notes(self) -> tuple[str, ...]:
        """Of all rows, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(row.notes for row in self.rows)))

    @property
    def percentiles(self) -> tuple[str, ...]:
        """Names of those that a row at least can bear."""
        found = {name for row in self.rows if row.times for name in row.times.percentiles_ms}
        return tuple(sorted(found))

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """The first engine beside each other one."""
        first, *others = self.engines
        return tuple(self._headline(first, other) for other in others)

    def _headline(self, first: str, other: str) -> Headline:
        rows = [row for row in self.rows if row.engine == other]
        against = tuple(row.against for row in rows if row.against)
        # With a number of the other one alone, it is the first one that has a problem.
        problems = (row.problem for row in (*rows, *self.rows) if row.problem and row.engine in (first, other))
        return Headline(first, other, against, None if against else next(problems, "they have no setting in common"))


def tables(document: Mapping[str, Any]) -> tuple[Table, ...]:
    """A table for each target, in the document's order."""
    groups = [_group(group) for group in document["groups"]]
    return tuple(
        Table(target, tuple(of_target)) for target, of_target in groupby(groups, lambda group: group.setting.target)
    )


def rows(document: Mapping[str, Any]) -> tuple[Row, ...]:
    """A row for each cell, in the document's order."""
    return tuple(chain.from_iterable(table.rows for table in tables(document)))


def _group(group: Mapping[str, Any]) -> Group:
    setting = setting_from(group["setting"])
    against = {each["than"]: _against(each) for each in group["comparisons"]}
    return Group(setting, tuple(_row(cell, setting, against.get(cell["name"])) for cell in group["cells"]))


def _row(cell: Mapping[str, Any], setting: Setting, against: Against | None) -> Row:
    times = _times(cell["summary"], cell["launches"]) if cell["status"] == MEASURED else None
    return Row(
        key=cell["key"],
        setting=setting,
        engine=cell["name"],
        provider=cell["provider"],
        status=cell["status"],
        problem=cell["problem"],
        max_abs_error=cell["parity"].get("max_abs_error"),
        times=times,
        against=against,
        cold=_cold(cell["cold"]) if "cold" in cell else None,
        memory=_memory(cell["memory"]) if "memory" in cell else None,
        notes=() if times is None else tuple(_notes(times)),
    )


def _times(summary: Mapping[str, Any], launches: Sequence[Mapping[str, Any]]) -> Times:
    rounds = [values for launch in launches for values in launch["rounds_us"]]
    return Times(
        median_ms=summary["median_ms"],
        interval_ms=_interval(summary["interval_ms"]),
        mean_ms=summary.get("mean_ms"),
        smallest_ms=summary.get("smallest_ms"),
        largest_ms=summary.get("largest_ms"),
        percentiles_ms=dict(summary.get("percentiles_ms", {})),
        samples=summary["samples"],
        outliers=summary["outliers"],
        samples_per_s=summary["samples_per_s"],
        tokens_per_s=summary.get("tokens_per_s"),
        precise=summary["precise"],
        launches=len(launches),
        steady=sum(launch["steady"] for launch in launches),
        rounds=len(rounds),
        others_cpus=others_cpus(launches),
        values_ms=tuple(value / 1000 for values in rounds for value in values),
    )


def others_cpus(launches: Iterable[Mapping[str, Any]]) -> float | None:
    """Processors that others kept busy, on average over the rounds that could tell; None when none could."""
    told = [launch["others_cpus"] for launch in launches if launch["others_cpus"] is not None]
    return mean(told) if told else None


def _notes(times: Times) -> Iterable[str]:
    if not times.precise:
        yield f"the median is not known to {percent(PRECISION)}"
    if times.steady < times.launches:
        unsteady = times.launches - times.steady
        yield f"warming up ended before calls were steady (launches: {unsteady} of {times.launches})"
    if times.outliers >= MANY_OUTLIERS * times.samples:
        yield (
            f"{percent(MANY_OUTLIERS)} of the calls or more are outliers (modified Z-score over {OUTLIER_SCORE}); they stay in"
        )
    if times.others_cpus is not None and times.others_cpus >= BUSY:
        yield f"others kept {times.others_cpus:.1f} processors busy meanwhile"


def _against(comparison: Mapping[str, Any]) -> Against:
    return Against(
        engine=comparison["engine"],
        times_as_fast=comparison["times_as_fast"],
        interval=_interval(comparison["interval"]),
        verdict=comparison["verdict"],
        break_even_calls=comparison["break_even_calls"],
    )


def _cold(cold: Mapping[str, Sequence[float]]) -> Cold:
    launches = zip(cold["import_s"], cold["load_s"], cold["first_call_ms"], strict=True)
    return Cold(
        import_s=median(cold["import_s"]),
        load_s=median(cold["load_s"]),
        first_call_ms=median(cold["first_call_ms"]),
        total_s=median(importing + loading + first / 1000 for importing, loading, first in launches),
    )


def _memory(memory: Mapping[str, Sequence[float | None]]) -> Memory:
    base, peak, gpu = (
        max((value for value in memory[name] if value is not None), default=None)
        for name in ("base_rss_mib", "peak_rss_mib", "gpu_mib")
    )
    assert base is not None and peak is not None
    return Memory(base, peak, gpu)


def _interval(ends: Sequence[float] | None) -> Interval | None:
    if ends is None:
        return None
    low, high = ends
    return low, high
