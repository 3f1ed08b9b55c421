"""Plots for a page: SVG as text, in the colours of the page around it, the same bytes for the same results.

Matplotlib draws in stand-in colours, which are then replaced by the page's CSS variables, so that light and dark hold in
the plots too. Text stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from tfexport.benchmark.cells import Setting
from tfexport.benchmark.report.table import Group, Row, Table
from tfexport.benchmark.wording import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = 8
"""Engines that are told apart by colour; further ones begin anew, with other dashes."""
_INK, _QUIET = "#010101", "#020202"
_ENGINES = tuple(f"#03030{index}" for index in range(COLOURS))
_VARIABLES = {_INK: "currentColor", _QUIET: "var(--line)"} | {
    colour: f"var(--engine-{index})" for index, colour in enumerate(_ENGINES)
}
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
_MARKERS = "osD^vPX"
_WIDTH = 4.2
"""Inches, as all lengths here: narrow, so that letters keep their size on a phone."""
_FONT_SIZE = 10
_LETTER, _LINE, _EDGE = 0.08, 0.18, 0.14
_BAR = 0.23
_LONGEST_NAME, _LONGEST_LINE = 24, 46
_ROOM_FOR_TEXT = 1.35
_HEIGHT = 2.0
_POINTS = 101
"""Of a distribution, from the smallest value to the largest: more would not be seen."""
_DECADE = 10


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        svg: an element for a page.
        caption: what it shows.
    """

    svg: str
    caption: str


def medians(table: Table, numbers: Mapping[str, int]) -> Plot:
    """A bar for each cell of a target, from zero, with its interval: each setting has a scale of its own.

    Args:
        table: the target's.
        numbers: of engines, for their colours.
    """
    heads = [wrap(group.label, _LONGEST_LINE) for group in table.groups]
    heights = [
        _LINE * len(head) + _EDGE + _BAR * len(group.rows) for head, group in zip(heads, table.groups, strict=True)
    ]
    names = _LETTER * max(len(_short(engine)) for engine in table.engines) + _EDGE
    total = sum(heights) + _EDGE
    caption = "Median time of a call in milliseconds, with its 95 % interval. Each setting has a scale of its own."
    with _figure(f"medians {table.target}", total) as figure:
        top = total
        for head, height, group in zip(heads, heights, table.groups, strict=True):
            figure.text(_EDGE / 2 / _WIDTH, (top - _EDGE / 2) / total, "\n".join(head), weight="bold", va="top")
            bottom, bars = (top - height) / total, _BAR * len(group.rows) / total
            _bars(figure.add_axes((names / _WIDTH, bottom, 1 - names / _WIDTH, bars)), group.rows, numbers)
            top -= height
        return Plot(_as_svg(figure, f"{table.target}. {caption}"), caption)


def _bars(axes: Axes, rows: Sequence[Row], numbers: Mapping[str, int]) -> None:
    ends = [1e-9]
    for position, row in enumerate(rows):
        if row.times is None:
            _write(axes, 0, position, f"{row.status}: no number", style="italic")
            continue
        median = row.times.median_ms
        low, high = row.times.interval_ms or (median, median)
        axes.barh(position, median, height=0.7, color=_colour(row.engine, numbers))
        axes.plot([low, high], [position, position], color=_INK, linewidth=1.4, solid_capstyle="butt")
        _write(axes, max(median, high), position, significant(median))
        ends.append(high)
    axes.set_xlim(0, max(ends) * _ROOM_FOR_TEXT)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(rows)), [_short(row.engine) for row in rows])
    _without_frame(axes, "top", "right", "bottom")


def _write(axes: Axes, end: float, position: int, text: str, **style: Any) -> None:
    """A text just behind the end of a bar."""
    axes.annotate(text, (end, position), (3, 0), textcoords="offset points", va="center", **style)


def distribution(group: Group, numbers: Mapping[str, int]) -> Plot | None:
    """Every call of a group, as the share of calls that took at most so long; None where nothing was measured.

    Args:
        group: its cells.
        numbers: of engines, for their colours.
    """
    measured = {row.engine: row.times.values_ms for row in group.rows if row.times is not None}
    if not measured:
        return None
    caption = f"{group.label}: share of the calls that took at most so many milliseconds."
    with _figure(f"distribution {group.setting.name}", _height(measured), constrained=True) as figure:
        axes = figure.add_subplot()
        for engine, values in measured.items():
            shares = np.linspace(0, 1, min(len(values), _POINTS))
            axes.plot(np.quantile(values, shares), shares, drawstyle="steps-post", **_style(engine, numbers))
        _scale(axes, min(map(min, measured.values())), max(map(max, measured.values())))
        axes.set_yticks([0, 0.5, 0.9, 1], ["0 %", "50 %", "90 %", "100 %"])
        axes.set_xlabel("ms")
        _finish(figure, axes)
        return Plot(_as_svg(figure, f"{group.setting.target}, {caption}"), caption)


def throughputs(table: Table, numbers: Mapping[str, int]) -> list[Plot]:
    """Work a second by batch: a plot for each setting that was measured with several batches.

    Args:
        table: the target's.
        numbers: of engines, for their colours.
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
    caption = f"{unit} a second by batch, from {groups[0].label} to {groups[-1].label}."
    with _figure(f"throughput {groups[0].setting.name}", _height(lines), constrained=True) as figure:
        axes = figure.add_subplot()
        for engine, points in lines.items():
            axes.plot(*zip(*points, strict=True), marker=_turn(_MARKERS, engine, numbers), **_style(engine, numbers))
        axes.set_xticks(range(len(groups)), [str(group.setting.batch) for group in groups])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(_plain)
        axes.set_xlabel("batch")
        _finish(figure, axes)
        return Plot(_as_svg(figure, f"{groups[0].setting.target}. {caption}"), caption)


def _scale(axes: Axes, smallest: float, largest: float) -> None:
    """Plain numbers along the time, logarithmic where it spans a decade."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    if largest > _DECADE * smallest:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(_plain)


def _plain(value: float, _: float) -> str:
    return f"{value:,.10g}"


def _finish(figure: Figure, axes: Axes) -> None:
    """A legend above, a grid behind, and half a frame."""
    axes.grid(color=_QUIET, linewidth=0.6)
    axes.set_axisbelow(True)
    _without_frame(axes, "top", "right")
    figure.legend(loc="outside upper left", ncols=2, frameon=False, borderpad=0, handlelength=2.8)


def _without_frame(axes: Axes, *sides: str) -> None:
    axes.tick_params(length=0)
    for side in sides:
        axes.spines[side].set_visible(False)


def _height(engines: Mapping[str, Any]) -> float:
    """Of a figure with a legend of two columns."""
    return _HEIGHT + _BAR * -(-len(engines) // 2)


def _short(engine: str) -> str:
    name = engine.rpartition(":")[2]  # of module:Class
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _turn(of: Sequence[Any], engine: str, numbers: Mapping[str, int]) -> Any:
    return of[numbers[engine] % len(of)]


def _colour(engine: str, numbers: Mapping[str, int]) -> str:
    return str(_turn(_ENGINES, engine, numbers))


def _style(engine: str, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "label": _short(engine),
        "color": _colour(engine, numbers),
        "linestyle": _turn(_DASHES, engine, numbers),
        "linewidth": 1.6,
        "markersize": 4.5,
    }


@contextmanager
def _figure(name: str, height: float, *, constrained: bool = False) -> Iterator[Figure]:
    """A figure without a window. Its name keeps the ids in its SVG apart from another one's on the page."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "text.parse_math": False,  # names may hold dollar signs
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": _FONT_SIZE,
        "axes.linewidth": 0.8,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        **dict.fromkeys(("text.color", "xtick.color", "ytick.color", "axes.labelcolor", "axes.edgecolor"), _INK),
    }
    with matplotlib.rc_context(settings):
        yield Figure((_WIDTH, height), layout="constrained" if constrained else None)


def _as_svg(figure: Figure, label: str) -> str:
    """A figure as an element: labelled, scaling with the page, without ids that nothing refers to."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    head, _, body = written.getvalue().partition("<svg")[2].partition(">")
    box = re.search(r'viewBox="[^"]+"', head)
    assert box is not None
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # would be a rule for the whole page
    referred = set(re.findall(r"#([-\w]+)[)\"]", body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in referred else "", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    lines = "\n".join(line.strip() for line in body.splitlines() if line.strip())
    return f'<svg {box[0]} role="img" aria-label="{escape(label)}">\n{lines}'
