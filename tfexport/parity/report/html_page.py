"""A comparison as an HTML page: the result, the matrix of pairs, the errors by case and by layer, and the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfexport.reporting.pages import Plot, environment
from tfexport.reporting.pages.drawing import INK, SERIES, as_svg, figure_of, finish, without_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEMPLATE = "page.html.j2"
_LEAST = 1e-4
"""Smallest share of what is allowed that the plot shows; the scale is logarithmic."""
_ROW, _FOOT = 0.2, 0.7
"""Heights of a row and of the axis below all rows, in inches."""
_MOST_LAYERS = 60
_LONGEST = 34


def html(document: Mapping[str, Any]) -> str:
    """Return a comparison as an HTML page.

    Args:
        document: Report, from `ParityReport.as_dict`.
    """
    assert __package__
    names = [corner["name"] for corner in document["corners"]]
    pairs = {(pair["first"], pair["second"]): pair for pair in document["pairs"]}
    return (
        environment(__package__)
        .get_template(_TEMPLATE)
        .render(
            document=document,
            names=names,
            pairs=pairs | {(second, first): pair for (first, second), pair in pairs.items()},
            by_case=_by_case(document) if document["pairs"] else None,
            by_layer=[plot for located in document["located"] if (plot := _by_layer(located)) is not None],
        )
    )


def _by_case(document: Mapping[str, Any]) -> Plot:
    """Plot the worst error of each case as a share of what is allowed: one series per pair."""
    rows = list(dict.fromkeys(_label(case) for pair in document["pairs"] for case in pair["cases"]))
    caption = "Largest error of each case, as a share of what is allowed. A case right of the line fails."
    with figure_of(
        f"cases {document['checkpoint']}", _ROW * len(rows) + _FOOT + 0.25 * len(document["pairs"]) / 2
    ) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for number, pair in enumerate(document["pairs"]):
            points = [(share, rows.index(_label(case))) for case in pair["cases"] for share in _shares(case)]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    linestyle="none",
                    marker="osD^vP"[number % 6],
                    markersize=4,
                    color=SERIES[number % len(SERIES)],
                    label=f"{pair['first']}, {pair['second']}",
                )
        axes.axvline(1, color=INK, linewidth=1.2)
        _log_scale(axes)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("error / allowed")
        finish(figure, axes)
        return Plot(as_svg(figure, caption), caption)


def _label(case: Mapping[str, Any]) -> str:
    text = case["case"] if case["part"] == "model" else f"{case['part']}: {case['case']}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shares(case: Mapping[str, Any]) -> Iterator[float]:
    found = [
        output["max_abs_error"] / output["allowed"]
        for output in case["outputs"]
        if output["max_abs_error"] is not None and output["allowed"]
    ]
    if found:
        yield max(_LEAST, *found)


def _by_layer(located: Mapping[str, Any]) -> Plot | None:
    """Plot the error of the layers around the first that differs, in the order in which they returned."""
    layers = [layer for layer in located["layers"] if layer["error"] is not None]
    if not layers:
        return None
    names = [layer["name"] for layer in layers]
    first = names.index(located["first"]) if located["first"] in names else len(names) - 1
    begin = max(0, min(first - _MOST_LAYERS // 2, len(layers) - _MOST_LAYERS))
    shown = layers[begin : begin + _MOST_LAYERS]
    caption = (
        f"{located['sentence']}. Errors of the layers around it, each as a share of the layer's largest magnitude."
    )
    with figure_of(f"layers {located['pair']}", _ROW * len(shown) + _FOOT) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for place, layer in enumerate(shown):
            axes.plot(
                [1e-9, max(1e-9, layer["error"])],
                [place, place],
                color=SERIES[1] if not layer["found"] else SERIES[0],
                linewidth=3,
                solid_capstyle="butt",
            )
        _log_scale(axes)
        axes.set_xlim(left=1e-9)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_yticks(range(len(shown)), [_end(layer["name"]) for layer in shown])
        without_frame(axes, "top", "right")
        axes.set_xlabel("largest difference / largest magnitude")
        return Plot(as_svg(figure, caption), caption)


def _log_scale(axes: Axes) -> None:
    """Scale the errors logarithmically, with a few labels in plain digits."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _end(name: str) -> str:
    """Return the end of a path, in which the names of layers differ."""
    return name if len(name) <= _LONGEST else f"…{name[-_LONGEST + 1 :]}"
