"""A results document as tables of rows: one table per target, one row per cell."""

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
"""Number of processors kept busy by other processes from which a row has a note."""
MANY_OUTLIERS = 0.05
"""Share of outliers from which a row has a note."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Times:
    """Times of one cell.

    Attributes:
        median_ms: Median of the rounds.
        interval_ms: 95 % interval of the median; None with too few rounds.
        mean_ms: Mean of all calls.
        smallest_ms: Smallest of all calls.
        largest_ms: Largest of all calls.
        percentiles_ms: Percentiles for which there are enough calls, by name (``p90``).
        samples: Number of calls.
        outliers: Number of calls that are outliers by the modified Z-score. They are not removed.
        samples_per_s: Samples of all calls per second of wall time.
        tokens_per_s: Written tokens per second of wall time; None for a model that writes no text, or only one token.
        precise: Whether the median is known as precisely as required.
        launches: Number of processes.
        steady: Number of processes whose warm-up became steady.
        rounds: Number of rounds in all launches.
        others_cpus: Average number of processors that other processes kept busy; None when it is not known.
        values_ms: Time of every call.
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
class Speedup:
    """Comparison of the first engine of a group with another one.

    Attributes:
        engine: Name of the first engine.
        times_as_fast: Ratio of the other engine's time to the first engine's; below 1 when the first one is slower.
        interval: 95 % interval of the ratio; None with too few rounds.
        verdict: Verdict on the first engine, one of `VERDICTS`.
        break_even_calls: Calls after which the first engine has paid for export and loading; None when it never does.
    """

    engine: str
    times_as_fast: float
    interval: Interval | None
    verdict: str
    break_even_calls: int | None


@dataclass(frozen=True)
class Cold:
    """One-time cost, as medians over the launches.

    Attributes:
        import_s: Time to import the framework.
        load_s: Time to load the model.
        first_call_ms: Time of the first call.
        total_s: Time of all three.
    """

    import_s: float
    load_s: float
    first_call_ms: float
    total_s: float


@dataclass(frozen=True)
class Memory:
    """Memory, as the largest value of all launches.

    Attributes:
        base_rss_mib: Resident memory before the framework's import.
        peak_rss_mib: Peak of resident memory until the end of the first call.
        gpu_mib: GPU memory after the first call; None when it is not known.
    """

    base_rss_mib: float
    peak_rss_mib: float
    gpu_mib: float | None


@dataclass(frozen=True)
class Row:
    """One cell.

    Attributes:
        key: Key of the cell, the same in every results file.
        setting: Setting of its group.
        engine: Name within its group: with the provider, unless that is the CPU.
        provider: Execution provider.
        status: ``measured``, ``refused`` or ``failed``.
        problem: Reason why it has no number; None when it has one.
        max_abs_error: Largest error of its outputs; None for text, and when the outputs were not compared.
        times: Times of its calls; None when it has no number.
        speedup: Comparison of the first engine with this one; None for the first one, and when one of them has no number.
        cold: One-time cost; None when it was not loaded.
        memory: Memory; None when it was not loaded.
        notes: Facts that a reader must know about its number.
    """

    key: str
    setting: Setting
    engine: str
    provider: str
    status: str
    problem: str | None
    max_abs_error: float | None
    times: Times | None
    speedup: Speedup | None
    cold: Cold | None
    memory: Memory | None
    notes: tuple[str, ...]

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.setting.target


@dataclass(frozen=True)
class Group:
    """The rows of one setting, which are compared."""

    setting: Setting
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """Name of the setting within its target: ``8x128, 2 threads, host``."""
        label = self.setting.name.removeprefix(f"{self.setting.target}, ")
        return f"{label} (time to first token)" if self.setting.tokens == 1 else label


@dataclass(frozen=True)
class Headline:
    """Comparison of the first engine with another one over all settings of a target.

    Attributes:
        first: Name of the first engine.
        other: Name of the other engine.
        speedups: Comparisons, one per setting.
        problem: Reason why the two were not compared; None when they were.
    """

    first: str
    other: str
    speedups: tuple[Speedup, ...]
    problem: str | None

    @property
    def times_as_fast(self) -> float:
        """Geometric mean of the ratios of all settings."""
        return geometric_mean(each.times_as_fast for each in self.speedups)

    @property
    def verdicts(self) -> dict[str, int]:
        """Number of settings, by verdict."""
        reached = [each.verdict for each in self.speedups]
        return {verdict: reached.count(verdict) for verdict in VERDICTS if verdict in reached}

    @property
    def verdict(self) -> str:
        """Verdict of all settings; ``mixed`` when they differ, empty when there is none."""
        reached = tuple(self.verdicts)
        return reached[0] if len(reached) == 1 else "mixed" if reached else ""


@dataclass(frozen=True)
class Table:
    """The groups of one target."""

    target: str
    groups: tuple[Group, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of all groups."""
        return tuple(chain.from_iterable(group.rows for group in self.groups))

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines. The first is compared with the others."""
        return tuple(dict.fromkeys(row.engine for row in self.rows))

    @property
    def writes(self) -> bool:
        """Whether the target writes text."""
        return any(group.setting.tokens for group in self.groups)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of all rows, each only once."""
        return tuple(dict.fromkeys(chain.from_iterable(row.notes for row in self.rows)))

    @property
    def percentiles(self) -> tuple[str, ...]:
        """Names of the percentiles that at least one row has."""
        found = {name for row in self.rows if row.times for name in row.times.percentiles_ms}
        return tuple(sorted(found))

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """Comparisons of the first engine with each other one."""
        first, *others = self.engines
        return tuple(self._headline(first, other) for other in others)

    def _headline(self, first: str, other: str) -> Headline:
        rows = [row for row in self.rows if row.engine == other]
        speedups = tuple(row.speedup for row in rows if row.speedup)
        # When only the other engine has a number, the problem is in the rows of the first one.
        problems = (row.problem for row in (*rows, *self.rows) if row.problem and row.engine in (first, other))
        return Headline(first, other, speedups, None if speedups else next(problems, "they have no setting in common"))


def tables(document: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return one table per target, in the order of the document."""
    groups = [_group(group) for group in document["groups"]]
    return tuple(
        Table(target, tuple(of_target)) for target, of_target in groupby(groups, lambda group: group.setting.target)
    )


def rows(document: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return one row per cell, in the order of the document."""
    return tuple(chain.from_iterable(table.rows for table in tables(document)))


def _group(group: Mapping[str, Any]) -> Group:
    setting = setting_from(group["setting"])
    speedups = {each["than"]: _speedup(each) for each in group["comparisons"]}
    return Group(setting, tuple(_row(cell, setting, speedups.get(cell["name"])) for cell in group["cells"]))


def _row(cell: Mapping[str, Any], setting: Setting, speedup: Speedup | None) -> Row:
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
        speedup=speedup,
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
    """Return the average number of processors that other processes kept busy; None when no launch measured it."""
    known = [launch["others_cpus"] for launch in launches if launch["others_cpus"] is not None]
    return mean(known) if known else None


def _notes(times: Times) -> Iterable[str]:
    if not times.precise:
        yield f"the median is not known to within {percent(PRECISION)}"
    if times.steady < times.launches:
        unsteady = times.launches - times.steady
        yield f"warming up ended before the times were steady (launches: {unsteady} of {times.launches})"
    if times.outliers >= MANY_OUTLIERS * times.samples:
        yield (
            f"at least {percent(MANY_OUTLIERS)} of the calls are outliers (modified Z-score over {OUTLIER_SCORE}); they are not "
            "removed"
        )
    if times.others_cpus is not None and times.others_cpus >= BUSY:
        yield f"other processes kept {times.others_cpus:.1f} processors busy in the meantime"


def _speedup(comparison: Mapping[str, Any]) -> Speedup:
    return Speedup(
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
