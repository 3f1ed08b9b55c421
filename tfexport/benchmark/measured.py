"""What is known of each cell, while it is measured and in a results file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tfexport.benchmark import statistics
from tfexport.benchmark.cells import Cell
from tfexport.benchmark.sampling import PRECISION
from tfexport.benchmark.stopwatch import Span
from tfexport.benchmark.worker import Loaded, Round
from tfexport.errors import CellError

_DIGITS = 5


@dataclass
class Launch:
    """One process of a cell.

    Attributes:
        loaded: what loading took.
        warm_up_us: the calls that warmed up.
        steady: whether they became steady.
        rounds: what was measured.
    """

    loaded: Loaded
    warm_up_us: tuple[float, ...] = ()
    steady: bool = False
    rounds: list[Round] = field(default_factory=list)

    @property
    def others_cpus(self) -> float | None:
        """Processors that others kept busy in its rounds, on average; None where they are too short to tell."""
        return sum((each.span for each in self.rounds), Span()).others_cpus


@dataclass
class Measured:
    """One cell.

    Attributes:
        cell: what it is.
        status: ``measured``; ``refused``, because its outputs disagree or it cannot do this; ``failed``.
        problem: why it has no number.
        parity: how its outputs compare with the reference's.
        launches: its processes, one after the other.
    """

    cell: Cell
    status: str = "measured"
    problem: str | None = None
    parity: Mapping[str, Any] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)

    def give_up(self, status: str, problem: str) -> None:
        """No number, and why."""
        self.status, self.problem = status, problem

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Do something with its process: a cell whose process fails gets no number, and the others go on."""
        try:
            yield
        except CellError as error:
            self.give_up("failed", str(error))

    @property
    def alive(self) -> bool:
        """Whether it still is to get a number."""
        return self.status == "measured"

    @property
    def samples(self) -> list[list[tuple[float, ...]]]:
        """Launches of rounds of values, in microseconds."""
        return [[measured.values_us for measured in launch.rounds] for launch in self.launches]

    @property
    def rounds(self) -> list[Round]:
        """Of all launches."""
        return [measured for launch in self.launches for measured in launch.rounds]

    @property
    def precise(self) -> bool:
        """Whether the median is known as well as it is to be."""
        return bool(self.rounds) and statistics.median_of(self.samples).half_width <= PRECISION

    def as_dict(self) -> dict[str, Any]:
        """For a results file: raw values, and what they amount to. A cell without a number has no times of calls."""
        told: dict[str, Any] = {
            "key": self.cell.key,
            "name": self.cell.name,
            "engine": self.cell.engine,
            "provider": self.cell.provider,
            "status": self.status,
            "problem": self.problem,
            "parity": dict(self.parity),
        }
        if self.launches:
            last = self.launches[-1].loaded
            told |= {"about": last.about, "cold": self._cold(), "memory": self._memory()}
        if self.alive and self.rounds:
            told |= {"summary": self.summary(), "launches": [_raw(launch) for launch in self.launches]}
        return told

    def _cold(self) -> dict[str, list[float]]:
        loaded = [launch.loaded for launch in self.launches]
        return {
            "import_s": [_rounded(each.import_s) for each in loaded],
            "load_s": [_rounded(each.load_s) for each in loaded],
            "first_call_ms": [_rounded(each.first_call_ms) for each in loaded],
        }

    def _memory(self) -> dict[str, list[float | None]]:
        loaded = [launch.loaded for launch in self.launches]
        return {
            "base_rss_mib": [_rounded(each.base_rss_mib) for each in loaded],
            "peak_rss_mib": [_rounded(each.peak_rss_mib) for each in loaded],
            "gpu_mib": [None if each.gpu_mib is None else _rounded(each.gpu_mib) for each in loaded],
        }

    def summary(self) -> dict[str, Any]:
        """What the values amount to: times in milliseconds, a second's work."""
        found = statistics.summarise(self.samples)
        setting = self.cell.setting
        samples_s = setting.batch * found.samples / sum(each.span.seconds for each in self.rounds)
        told = {
            **milliseconds(found.estimate),
            "precise": found.estimate.half_width <= PRECISION,
            "samples": found.samples,
            "mean_ms": _rounded(found.mean / 1000),
            "smallest_ms": _rounded(found.smallest / 1000),
            "largest_ms": _rounded(found.largest / 1000),
            "percentiles_ms": {f"p{number}": _rounded(value / 1000) for number, value in found.percentiles.items()},
            "outliers": found.outliers,
            "samples_per_s": _rounded(samples_s),
        }
        if setting.tokens > 1:
            told["tokens_per_s"] = _rounded(samples_s * setting.tokens)
        return told


def milliseconds(estimate: statistics.Estimate) -> dict[str, Any]:
    """A median of microseconds for a results file; without an interval where there are too few rounds for one."""
    known = estimate.known
    return {
        "median_ms": _rounded(estimate.median / 1000),
        "interval_ms": [_rounded(estimate.low / 1000), _rounded(estimate.high / 1000)] if known else None,
        "half_width": _rounded(estimate.half_width) if known else None,
    }


def _raw(launch: Launch) -> dict[str, Any]:
    return {
        "warm_up_us": [round(value, 1) for value in launch.warm_up_us],
        "steady": launch.steady,
        "rounds_us": [[round(value, 1) for value in each.values_us] for each in launch.rounds],
        "round_s": [_rounded(each.span.seconds) for each in launch.rounds],
        "others_cpus": None if launch.others_cpus is None else round(launch.others_cpus, 2),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def comparisons(cells: list[Measured], export_s: float | None) -> list[dict[str, Any]]:
    """Each cell of a group against its first one: how many times as fast the first is, and from which call on it pays.

    Args:
        cells: of one group; the first is what the others are compared with.
        export_s: what exporting took, which the first one needs; None where it is not known.
    """
    measured = [cell for cell in cells if cell.alive and cell.rounds]
    if not measured or measured[0] is not cells[0]:
        return []
    first, *others = measured
    return [_comparison(first, other, export_s) for other in others]


def _comparison(first: Measured, other: Measured, export_s: float | None) -> dict[str, Any]:
    found = statistics.ratio(first.samples, other.samples)
    return {
        "engine": first.cell.name,
        "than": other.cell.name,
        "times_as_fast": _rounded(found.median),
        "interval": [_rounded(found.low), _rounded(found.high)] if found.known else None,
        "verdict": found.verdict(),
        "break_even_calls": _break_even(first, other, export_s),
    }


def _break_even(first: Measured, other: Measured, export_s: float | None) -> int | None:
    """Calls from which on the first one has paid for being exported and loaded; None when it never does.

    What one pays once, and saves with each call: exporting, importing, loading and the first call, against each call's time.
    """
    saved = statistics.median_of(other.samples).median - statistics.median_of(first.samples).median
    paid = (export_s or 0.0) + _once(first) - _once(other)
    if paid <= 0:
        return 0 if saved >= 0 else None
    return None if saved <= 0 else int(-(-paid * 1e6 // saved))


def _once(cell: Measured) -> float:
    loaded = [launch.loaded for launch in cell.launches]
    return sum(each.import_s + each.load_s + each.first_call_ms / 1000 for each in loaded) / len(loaded)
