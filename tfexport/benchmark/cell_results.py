"""The result of each cell, while it is measured and in a results file."""

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
        loaded: Cost of loading.
        warm_up_us: Times of the warm-up calls, in microseconds.
        steady: Whether the times of those calls became steady.
        rounds: Measured rounds.
    """

    loaded: Loaded
    warm_up_us: tuple[float, ...] = ()
    steady: bool = False
    rounds: list[Round] = field(default_factory=list)

    @property
    def others_cpus(self) -> float | None:
        """Average number of processors that other processes kept busy in its rounds; None when the rounds are too short."""
        return sum((each.span for each in self.rounds), Span()).others_cpus


@dataclass
class CellResult:
    """Result of one cell.

    Attributes:
        cell: Cell that is measured.
        status: ``measured``; ``refused``, when its outputs disagree or the engine cannot run the setting; ``failed``.
        problem: Reason why it has no number; None when it has one.
        parity: Comparison of its outputs with the reference's.
        launches: Processes of the cell, one after the other.
    """

    cell: Cell
    status: str = "measured"
    problem: str | None = None
    parity: Mapping[str, Any] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)

    def give_up(self, status: str, problem: str) -> None:
        """Record that the cell gets no number, and the reason."""
        self.status, self.problem = status, problem

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Use the process of the cell. When the process fails, the cell gets no number, and the other cells continue."""
        try:
            yield
        except CellError as error:
            self.give_up("failed", str(error))

    @property
    def alive(self) -> bool:
        """Whether it may still get a number."""
        return self.status == "measured"

    @property
    def samples(self) -> list[list[tuple[float, ...]]]:
        """Times of calls in microseconds, by launch and round."""
        return [[measured.values_us for measured in launch.rounds] for launch in self.launches]

    @property
    def rounds(self) -> list[Round]:
        """Rounds of all launches."""
        return [measured for launch in self.launches for measured in launch.rounds]

    @property
    def precise(self) -> bool:
        """Whether the median is known as precisely as required."""
        return bool(self.rounds) and statistics.median_of(self.samples).half_width <= PRECISION

    def as_dict(self) -> dict[str, Any]:
        """Return the values of a results file: raw and summarised. A cell without a number has no times of calls."""
        values: dict[str, Any] = {
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
            values |= {"about": last.about, "cold": self._cold(), "memory": self._memory()}
        if self.alive and self.rounds:
            values |= {"summary": self.summary(), "launches": [_raw(launch) for launch in self.launches]}
        return values

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
        """Return the summary of all times: in milliseconds, and the samples and tokens per second."""
        found = statistics.summarise(self.samples)
        setting = self.cell.setting
        samples_s = setting.batch * found.samples / sum(each.span.seconds for each in self.rounds)
        values = {
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
            values["tokens_per_s"] = _rounded(samples_s * setting.tokens)
        return values


def milliseconds(estimate: statistics.Estimate) -> dict[str, Any]:
    """Return a median of microseconds as values of a results file; the interval is None when there are too few rounds."""
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


def comparisons(cells: list[CellResult], export_s: float | None) -> list[dict[str, Any]]:
    """Compare the first cell of a group with each other: how many times as fast it is, and after how many calls it pays off.

    Args:
        cells: Cells of one group; the first is compared with the others.
        export_s: Time of the export that the first one requires, in seconds; None when it is not known.
    """
    measured = [cell for cell in cells if cell.alive and cell.rounds]
    if not measured or measured[0] is not cells[0]:
        return []
    first, *others = measured
    return [_comparison(first, other, export_s) for other in others]


def _comparison(first: CellResult, other: CellResult, export_s: float | None) -> dict[str, Any]:
    found = statistics.ratio(first.samples, other.samples)
    return {
        "engine": first.cell.name,
        "than": other.cell.name,
        "times_as_fast": _rounded(found.median),
        "interval": [_rounded(found.low), _rounded(found.high)] if found.known else None,
        "verdict": found.verdict(),
        "break_even_calls": _break_even(first, other, export_s),
    }


def _break_even(first: CellResult, other: CellResult, export_s: float | None) -> int | None:
    """Return the number of calls after which the first cell has paid off; None when it never does.

    Its one-time cost (exporting, importing, loading and the first call) is compared with the time that each call saves.
    """
    saved = statistics.median_of(other.samples).median - statistics.median_of(first.samples).median
    paid = (export_s or 0.0) + _once(first) - _once(other)
    if paid <= 0:
        return 0 if saved >= 0 else None
    return None if saved <= 0 else int(-(-paid * 1e6 // saved))


def _once(cell: CellResult) -> float:
    loaded = [launch.loaded for launch in cell.launches]
    return sum(each.import_s + each.load_s + each.first_call_ms / 1000 for each in loaded) / len(loaded)
