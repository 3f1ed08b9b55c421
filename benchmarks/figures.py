"""The figures of README.md and docs/, written from the recorded results: ``make figures``.

A figure stands between two comments, which the rendered page does not show::

    <!-- result export/bert-base/tf/seconds -->9.3 s<!-- /result -->

The name identifies the recorded result. A figure of several lines is a table. ``tests/test_figures.py`` fails when a page
differs from the results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tfexport.benchmark.report.table import Group, Row, tables
from tfexport.reporting.formatting import significant, with_interval

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "make figures"
_MARKED = re.compile(r"(<!-- result (?P<name>\S+) -->)(?P<text>.*?)(<!-- /result -->)", re.DOTALL)
_EXPORTERS = {"tf": "TensorFlow", "pt": "PyTorch", "stock": "stock tf2onnx"}


def pages() -> list[Path]:
    """Return every document whose figures are checked."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def names(text: str) -> list[str]:
    """Return the names of the figures of a page, in its order."""
    return [found["name"] for found in _MARKED.finditer(text)]


def updated(text: str) -> str:
    """Return a page with the recorded figures."""
    return _MARKED.sub(lambda found: f"{found[1]}{figure(found['name'])}{found[4]}", text)


def figure(name: str) -> str:
    """Return a figure by its name.

    Raises:
        KeyError: No result has this name.
    """
    kind, *path = name.split("/")
    return _FIGURES[kind](*path)


def _export(shape: str, exporter: str, value: str) -> str:
    """Return a figure of the memory or time of an export."""
    row = next(row for row in _rows_of_exports() if (row["shape"], row["exporter"]) == (shape, exporter))
    above = row["peak_above_loaded_mib"]
    return {
        "seconds": f"{row['seconds']:.1f} s",
        "above": f"{above:,.0f} MiB",
        "times": f"{above / row['weights_mib']:.0f}",
        "weights": f"{row['weights_mib']:,.0f} MiB",
    }[value]


def _exports() -> str:
    return _table(
        ("shape", "weights", "exporter", "above the loaded model", "times the weights", "convert and write"),
        (
            (
                row["shape"],
                f"{row['weights_mib']:,.0f} MiB",
                _EXPORTERS[row["exporter"]],
                f"+{row['peak_above_loaded_mib']:,.0f} MiB",
                f"{row['peak_above_loaded_mib'] / row['weights_mib']:.2f}",
                f"{row['seconds']:.1f} s",
            )
            for row in _rows_of_exports()
            if row["shape"] != "t5-base"
        ),
    )


def _latency(suite: str) -> str:
    """Return a table of medians in milliseconds with their intervals, by engine."""
    return _by_engine(suite, lambda row, _: _median(row), tokens=0)


def _first_token(suite: str) -> str:
    return _by_engine(suite, lambda row, _: _median(row), tokens=1)


def _tokens(suite: str) -> str:
    """Return a table of tokens per second, with the speedups of the first engine."""

    def cell(row: Row, first: bool) -> str:
        if row.times is None or row.times.tokens_per_s is None:
            return row.status
        return significant(row.times.tokens_per_s) + (
            "" if first else f" ({_times(row).replace(' (', ', ').rstrip(')')})"
        )

    return _by_engine(suite, cell, tokens=32)


def _speedup(suite: str) -> str:
    """Return a table of the speedups of the first engine."""
    return _by_engine(suite, lambda row, _: _times(row), tokens=0, leave_out_first=True)


def _times_as_fast(suite: str, group: str, engine: str) -> str:
    """Return the speedup of the first engine over another one, in the group ``target,size``."""
    rows = (row for each in _groups(suite) if f"{_target(each)},{_size(each)}" == group for row in each.rows)
    return next(_times(row) for row in rows if row.engine == engine)


def _throughput(suite: str) -> str:
    """Return a table of samples per second at the host boundary, by batch and engine."""
    found: dict[tuple[int, str], list[str]] = {}
    for row in (row for group in _groups(suite) for row in group.rows if group.setting.boundary == "host"):
        assert row.times is not None
        found.setdefault((row.setting.batch, row.engine), []).append(f"{row.times.samples_per_s:.0f}")
    columns = ("1 thread", "1 thread, 2 calls at a time", "2 threads", "2 threads, 2 calls at a time")
    return _table(
        ("batch", "engine", *columns), ((str(batch), f"`{engine}`", *cells) for (batch, engine), cells in found.items())
    )


def _calibration(value: str) -> str:
    known = _read("benchmarks", "calibration")
    reported = known["reported_ms"]
    return {
        "reported": f"{reported['smallest']:.2f} to {reported['largest']:.2f} ms",
        "identical": f"{known['identical']['no difference']} of {sum(known['identical'].values())}",
        "slower": f"{known['five_percent_slower']['faster']} of {sum(known['five_percent_slower'].values())}",
    }[value]


def _zoo(framework: str) -> str:
    return str(_read("conformance", "zoo")["passed"][framework])


def _parity(value: str) -> str:
    rows = _read("conformance", "parity")["rows"]
    return {"rows": str(len(rows)), "agree": str(sum(bool(row["agrees"]) for row in rows))}[value]


_FIGURES: Mapping[str, Callable[..., str]] = {
    "export": _export,
    "exports": _exports,
    "latency": _latency,
    "speedup": _speedup,
    "times-as-fast": _times_as_fast,
    "tokens": _tokens,
    "first-token": _first_token,
    "throughput": _throughput,
    "calibration": _calibration,
    "zoo": _zoo,
    "parity": _parity,
}


def _by_engine(suite: str, cell: Callable[[Row, bool], str], tokens: int, leave_out_first: bool = False) -> str:
    groups = [group for group in _groups(suite) if group.setting.tokens == tokens]
    engines = list(dict.fromkeys(row.engine for group in groups for row in group.rows))
    shown = _in_order(suite, engines)[int(leave_out_first) :]
    return _table(("target, batch x tokens", *(f"`{engine}`" for engine in shown)), _lines(groups, shown, cell))


def _lines(
    groups: Sequence[Group], engines: Sequence[str], cell: Callable[[Row, bool], str]
) -> Iterable[tuple[str, ...]]:
    for group in groups:
        rows = {row.engine: row for row in group.rows}
        cells = (cell(rows[engine], index == 0) if engine in rows else "" for index, engine in enumerate(engines))
        yield (f"{_target(group)}, {_size(group)}", *cells)


def _in_order(suite: str, engines: Sequence[str]) -> list[str]:
    """Return engines in the order of the group that has most of them."""
    order = max((list(table.engines) for table in tables(_results(suite))), key=len)
    return [engine for engine in order if engine in engines]


def _target(group: Group) -> str:
    return group.setting.target.split(",")[0]


def _size(group: Group) -> str:
    """Return the size of a group, ``8x128``, with the precision and the boundary of a group on a GPU."""
    size, *others = group.label.split(", ")
    kept = [other for other in others if other in ("fp16", "device")]
    return ", ".join((size, *kept))


def _median(row: Row) -> str:
    return row.status if row.times is None else with_interval(row.times.median_ms, row.times.interval_ms)


def _times(row: Row) -> str:
    if row.speedup is None:
        return ""
    sure = "" if row.speedup.verdict in ("faster", "slower") else f" ({row.speedup.verdict})"
    return f"{row.speedup.times_as_fast:.2f}{sure}"


def _groups(suite: str) -> list[Group]:
    return [group for table in tables(_results(suite)) for group in table.groups]


def _rows_of_exports() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _read("benchmarks", "export_memory")["rows"]
    return rows


def _results(suite: str) -> Mapping[str, Any]:
    return _read("benchmarks", f"latency_{suite}")


@cache
def _read(folder: str, name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((ROOT / folder / "results" / f"{name}.json").read_text())
    return document


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(line)} |" for line in (columns, *rows)]
    return "\n\n" + "\n".join([head, "|" + "---|" * len(columns), *body]) + "\n\n"


if __name__ == "__main__":
    for page in pages():
        page.write_text(updated(page.read_text()))
