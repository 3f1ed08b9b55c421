"""Plots of the benchmark for an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from tfexport.benchmark.cells import Setting
from tfexport.benchmark.report.table import Group, Row, Table
from tfexport.reporting.formatting import significant
from tfexport.reporting.pages.drawing import INK, SERIES, WIDTH, Plot, as_svg, figure_of, finish, plain, without_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
_MARKERS = "osD^vPX"
_LETTER, _LINE, _EDGE = 0.08, 0.18, 0.14
_BAR = 0.23
_LONGEST_NAME, _LONGEST_LINE = 24, 46
_ROOM_FOR_TEXT = 1.35
_HEIGHT = 2.0
_POINTS = 101
"""Points of a distribution, from the smallest value to the largest: more would not be visible."""
_DECADE = 10


def medians(table: Table, numbers: Mapping[str, int]) -> Plot:
    """Plot a bar per cell of a target, from zero, with its interval. Each setting has a scale of its own.

    Args:
        table: Rows of the target.
        numbers: Numbers of the engines, which determine their colours.
    """
    heads = [wrap(group.label, _LONGEST_LINE) for group in table.groups]
    heights = [
        _LINE * len(head) + _EDGE + _BAR * len(group.rows) for head, group in zip(heads, table.groups, strict=True)
    ]
    names = _LETTER * max(len(_short(engine)) for engine in table.engines) + _EDGE
    total = sum(heights) + _EDGE
    caption = "Median time of a call in milliseconds, with its 95 % interval. Each setting has a scale of its own."
    with figure_of(f"medians {table.target}", total) as figure:
        top = total
        for head, height, group in zip(heads, heights, table.groups, strict=True):
            figure.text(_EDGE / 2 / WIDTH, (top - _EDGE / 2) / total, "\n".join(head), weight="bold", va="top")
            bottom, bars = (top - height) / total, _BAR * len(group.rows) / total
            _bars(figure.add_axes((names / WIDTH, bottom, 1 - names / WIDTH, bars)), group.rows, numbers)
            top -= height
        return Plot(as_svg(figure, f"{table.target}. {caption}"), caption)


def _bars(axes: Axes, rows: Sequence[Row], numbers: Mapping[str, int]) -> None:
    ends = [1e-9]
    for position, row in enumerate(rows):
        if row.times is None:
            _write(axes, 0, position, f"{row.status}: no number", style="italic")
            continue
        median = row.times.median_ms
        low, high = row.times.interval_ms or (median, median)
        axes.barh(position, median, height=0.7, color=_colour(row.engine, numbers))
        axes.plot([low, high], [position, position], color=INK, linewidth=1.4, solid_capstyle="butt")
        _write(axes, max(median, high), position, significant(median))
        ends.append(high)
    axes.set_xlim(0, max(ends) * _ROOM_FOR_TEXT)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(rows)), [_short(row.engine) for row in rows])
    without_frame(axes, "top", "right", "bottom")


def _write(axes: Axes, end: float, position: int, text: str, **style: Any) -> None:
    """Write a text just behind the end of a bar."""
    axes.annotate(text, (end, position), (3, 0), textcoords="offset points", va="center", **style)


def distribution(group: Group, numbers: Mapping[str, int]) -> Plot | None:
    """Plot the share of a group's calls that took at most so long; None when nothing was measured.

    Args:
        group: Cells to plot.
        numbers: Numbers of the engines, which determine their colours.
    """
    measured = {row.engine: row.times.values_ms for row in group.rows if row.times is not None}
    if not measured:
        return None
    caption = f"{group.label}: share of the calls that took at most so many milliseconds."
    with figure_of(f"distribution {group.setting.name}", _height(measured), constrained=True) as figure:
        axes = figure.add_subplot()
        for engine, values in measured.items():
            shares = np.linspace(0, 1, min(len(values), _POINTS))
            axes.plot(np.quantile(values, shares), shares, drawstyle="steps-post", **_style(engine, numbers))
        _scale(axes, min(map(min, measured.values())), max(map(max, measured.values())))
        axes.set_yticks([0, 0.5, 0.9, 1], ["0 %", "50 %", "90 %", "100 %"])
        axes.set_xlabel("ms")
        finish(figure, axes)
        return Plot(as_svg(figure, f"{group.setting.target}, {caption}"), caption)


def throughputs(table: Table, numbers: Mapping[str, int]) -> list[Plot]:
    """Plot the throughput by batch: one plot per setting that was measured with several batches.

    Args:
        table: Rows of the target.
        numbers: Numbers of the engines, which determine their colours.
    """
    families: dict[Setting, list[Group]] = {}
    for group in sorted(table.groups, key=lambda each: each.setting.batch):
        if any(row.times for row in group.rows):
            families.setdefault(replace(group.setting, batch=1), []).append(group)
    return [_throughput(groups, numbers) for groups in families.values() if len(groups) > 1]


def _throughput(groups: Sequence[Group], numbers: Mapping[str, int]) -> Plot:
    lines: dict[str, list[tuple[int, float]]] = {}
    for place, group in enumerate(groups):
        for row in group.rows:
            if row.times is not None:
                per_s = row.times.tokens_per_s or row.times.samples_per_s
                lines.setdefault(row.engine, []).append((place, per_s))
    unit = "Tokens" if groups[0].setting.tokens > 1 else "Samples"
    caption = f"{unit} per second by batch, from {groups[0].label} to {groups[-1].label}."
    with figure_of(f"throughput {groups[0].setting.name}", _height(lines), constrained=True) as figure:
        axes = figure.add_subplot()
        for engine, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker=_pick(_MARKERS, engine, numbers), **_style(engine, numbers))
        axes.set_xticks(range(len(groups)), [str(group.setting.batch) for group in groups])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(plain)
        axes.set_xlabel("batch")
        finish(figure, axes)
        return Plot(as_svg(figure, f"{groups[0].setting.target}. {caption}"), caption)


def _scale(axes: Axes, smallest: float, largest: float) -> None:
    """Label the times in plain digits. The scale is logarithmic when they span more than a decade."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    if largest > _DECADE * smallest:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(plain)


def _height(engines: Mapping[str, Any]) -> float:
    """Return the height of a figure with a legend of two columns."""
    return _HEIGHT + _BAR * -(-len(engines) // 2)


def _short(engine: str) -> str:
    name = engine.rpartition(":")[2]  # of module:Class
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _pick(values: Sequence[Any], engine: str, numbers: Mapping[str, int]) -> Any:
    return values[numbers[engine] % len(values)]


def _colour(engine: str, numbers: Mapping[str, int]) -> str:
    return str(_pick(SERIES, engine, numbers))


def _style(engine: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "label": _short(engine),
        "color": _colour(engine, numbers),
        "linestyle": _pick(_DASHES, engine, numbers),
        "linewidth": 1.6,
        "markersize": 4.5,
    }
