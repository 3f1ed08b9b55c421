"""A report for a terminal, as plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfexport.benchmark.report import sentences
from tfexport.benchmark.report.table import MEASURED, Row, Table, tables
from tfexport.reporting.formatting import aligned, significant, with_interval


def summary(document: Mapping[str, Any]) -> str:
    """Return a results document as text: the median of each cell, and how many times as fast the first engine is."""
    ended = sentences.ended(document)
    lines = [line for table in tables(document) for line in _section(table)]
    return "\n".join([*lines, *([ended] if ended else [])]).strip()


def all_measured(document: Mapping[str, Any]) -> bool:
    """Return whether every cell has a number."""
    return all(cell["status"] == MEASURED for group in document["groups"] for cell in group["cells"])


def _section(table: Table) -> Iterable[str]:
    yield table.target
    lines = iter(aligned([_cells(row, table) for row in table.rows]))
    for group in table.groups:
        yield f"  {group.label}"
        yield from (f"    {next(lines)}" for _ in group.rows)
    yield from (f"  [{number}] {note}" for number, note in enumerate(table.notes, 1))
    yield from (f"  {sentences.headline(found)}" for found in table.headlines)
    yield ""


def _cells(row: Row, table: Table) -> list[str]:
    if row.times is None:
        return [row.engine, f"{row.status}: {row.problem}"]
    per_s = row.times.tokens_per_s if table.writes else row.times.samples_per_s
    speedup = row.speedup
    return [
        row.engine,
        f"{with_interval(row.times.median_ms, row.times.interval_ms)} ms",
        "" if per_s is None else f"{significant(per_s)} {'tokens' if table.writes else 'samples'}/s",
        "" if speedup is None else f"{speedup.engine} against it: {sentences.outcome(speedup)}",
        "".join(f"[{table.notes.index(note) + 1}]" for note in row.notes),
    ]
