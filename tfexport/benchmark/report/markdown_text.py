"""A report as Markdown: tables for a README or a pull request."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from tfexport.benchmark.report import sentences
from tfexport.benchmark.report.table import Row, Table, tables
from tfexport.reporting.formatting import significant, with_interval


def markdown(document: Mapping[str, Any]) -> str:
    """Return a results document as Markdown: one table per target, with notes below it, and the method."""
    made = tables(document)
    ended = sentences.ended(document)
    lines = [
        f"# {_text(document['name'])}",
        "",
        f"Measured {_text(document['created'][:10])} on {_text(sentences.machine(document))}.",
        *(["", ended] if ended else []),
    ]
    for table in made:
        lines += ["", *_section(table)]
    return "\n".join([*lines, "", _text(sentences.method(document, made))]) + "\n"


def _section(table: Table) -> Iterable[str]:
    yield from (f"## {_text(table.target)}", "")
    yield from (f"- {sentences.headline(found, _code)}" for found in table.headlines)
    columns = _columns(table)
    yield from ("", _line(columns), "|" + "---|" * len(columns))
    notes = list(dict.fromkeys(note for row in table.rows for note in _notes(row)))
    for group in table.groups:
        for index, row in enumerate(group.rows):
            marks = "".join(f" <sup>{notes.index(note) + 1}</sup>" for note in _notes(row))
            yield _line([_text(group.label) if index == 0 else "", *_cells(row, table, marks)])
    if notes:
        yield from ("", *(f"{number}. {_text(note)}" for number, note in enumerate(notes, 1)))


def _notes(row: Row) -> tuple[str, ...]:
    """Return the notes below the table: the reason why a number is missing, or facts about the number."""
    return row.notes if row.times else (f"{row.status}: {row.problem}",)


def _columns(table: Table) -> list[str]:
    return [
        "setting",
        "engine",
        "median ms [95 %]",
        "calls (outliers)",
        *(f"{name} ms" for name in table.percentiles),
        "tokens/s" if table.writes else "samples/s",
        f"{_code(table.engines[0])} against it",
        "cold start s",
        "peak MiB",
    ]


def _cells(row: Row, table: Table, marks: str) -> list[str]:
    return [
        _code(row.engine),
        *_times(row, table, marks),
        _speedup(row),
        significant(row.cold.total_s) if row.cold else "",
        significant(row.memory.peak_rss_mib) if row.memory else "",
    ]


def _times(row: Row, table: Table, marks: str) -> list[str]:
    if row.times is None:
        return [f"**{row.status}**{marks}", "", *("" for _ in table.percentiles), ""]
    times = row.times
    percentiles = (times.percentiles_ms.get(name) for name in table.percentiles)
    per_s = times.tokens_per_s if table.writes else times.samples_per_s
    return [
        with_interval(times.median_ms, times.interval_ms) + marks,
        f"{times.samples} ({times.outliers})",
        *("" if value is None else significant(value) for value in percentiles),
        "" if per_s is None else significant(per_s),
    ]


def _speedup(row: Row) -> str:
    if row.speedup is None:
        return ""
    outcome = sentences.outcome(row.speedup)
    return outcome.replace("slower", "**slower**", 1) if row.speedup.verdict == "slower" else outcome


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: str) -> str:
    """Return a value on one line, as text and not as markup."""
    return html.escape(" ".join(value.split()), quote=False).replace("|", "\\|")


def _code(name: str) -> str:
    """Return a name as code that is valid in a cell of a table too."""
    return f"`{' '.join(name.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
