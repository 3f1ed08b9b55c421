"""A report as comma-separated values: one line per cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from tfexport.benchmark.report.table import Row, rows
from tfexport.text import printable

_COLUMNS = {
    "key": "key",
    "target": "setting.target",
    "batch": "setting.batch",
    "sequence": "setting.sequence",
    "tokens": "setting.tokens",
    "threads": "setting.threads",
    "streams": "setting.streams",
    "boundary": "setting.boundary",
    "precision": "setting.precision",
    "engine": "engine",
    "provider": "provider",
    "status": "status",
    "problem": "problem",
    "max_abs_error": "max_abs_error",
    "median_ms": "times.median_ms",
    "median_low_ms": "times.interval_ms.0",
    "median_high_ms": "times.interval_ms.1",
    "precise": "times.precise",
    "mean_ms": "times.mean_ms",
    "smallest_ms": "times.smallest_ms",
    "largest_ms": "times.largest_ms",
    "p90_ms": "times.percentiles_ms.p90",
    "p95_ms": "times.percentiles_ms.p95",
    "p99_ms": "times.percentiles_ms.p99",
    "samples_per_s": "times.samples_per_s",
    "tokens_per_s": "times.tokens_per_s",
    "calls": "times.samples",
    "outliers": "times.outliers",
    "rounds": "times.rounds",
    "launches": "times.launches",
    "steady_launches": "times.steady",
    "others_cpus": "times.others_cpus",
    "first_engine": "speedup.engine",
    "times_as_fast": "speedup.times_as_fast",
    "times_as_fast_low": "speedup.interval.0",
    "times_as_fast_high": "speedup.interval.1",
    "verdict": "speedup.verdict",
    "break_even_calls": "speedup.break_even_calls",
    "import_s": "cold.import_s",
    "load_s": "cold.load_s",
    "first_call_ms": "cold.first_call_ms",
    "cold_start_s": "cold.total_s",
    "base_rss_mib": "memory.base_rss_mib",
    "peak_rss_mib": "memory.peak_rss_mib",
    "gpu_mib": "memory.gpu_mib",
}
"""Path of each column in a row. Verdicts and ratios are about the first engine, compared with the engine of the line."""


_FORMULA = ("=", "+", "-", "@", "\t")
"""First characters of a text that spreadsheets run as a formula; an apostrophe before it makes it a text again."""


def comma_separated(document: Mapping[str, Any]) -> str:
    """Return a results document as comma-separated values. All documents have the same columns; unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_value(row, path) for path in _COLUMNS.values()] for row in rows(document))
    return text.getvalue()


def _value(row: Row, path: str) -> Any:
    """Return the value at a path of attributes, names and indexes; None when a part of the path does not exist."""
    value: Any = row
    for name in path.split("."):
        if isinstance(value, tuple):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        elif value is not None:
            value = getattr(value, name)
    return _cell(value) if isinstance(value, str) else value


def _cell(text: str) -> str:
    """Return a text as a cell: without a carriage return, which some readers take for the end of a line, and not as a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
