"""Plots for an HTML page: SVG in the colours of the page, with the same bytes for the same results.

Matplotlib draws in placeholder colours, which are then replaced by CSS variables of the page, so that plots follow its light
or dark scheme. Text remains text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = 8
"""Number of series with different colours. Further series use the same colours with other dashes."""
INK, QUIET = "#010101", "#020202"
SERIES = tuple(f"#03030{index}" for index in range(COLOURS))
_VARIABLES = {INK: "currentColor", QUIET: "var(--line)"} | {
    colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)
}
WIDTH = 4.2
"""Width of a plot in inches, like all lengths here. It is narrow, so that letters keep their size on a phone."""
_FONT_SIZE = 10


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        svg: SVG element for the page.
        caption: Sentence that describes the plot.
    """

    svg: str
    caption: str


@contextmanager
def figure_of(name: str, height: float, *, constrained: bool = False) -> Iterator[Figure]:
    """Yield a figure without a window. Its name makes the ids in its SVG unique on the page."""
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
        **dict.fromkeys(("text.color", "xtick.color", "ytick.color", "axes.labelcolor", "axes.edgecolor"), INK),
    }
    with matplotlib.rc_context(settings):
        yield Figure((WIDTH, height), layout="constrained" if constrained else None)


def as_svg(figure: Figure, label: str) -> str:
    """Return a figure as a labelled SVG element that scales with the page and has no unused ids."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    head, _, body = written.getvalue().partition("<svg")[2].partition(">")
    box = re.search(r'viewBox="[^"]+"', head)
    assert box is not None
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # it would apply to the whole page
    referred = set(re.findall(r"#([-\w]+)[)\"]", body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in referred else "", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    lines = "\n".join(line.strip() for line in body.splitlines() if line.strip())
    return f'<svg {box[0]} role="img" aria-label="{escape(label)}">\n{lines}'


def plain(value: float, _: float) -> str:
    """Return the label of a tick, without an exponent."""
    return f"{value:,.10g}"


def finish(figure: Figure, axes: Axes) -> None:
    """Add a legend above and a grid behind, and remove half of the frame."""
    axes.grid(color=QUIET, linewidth=0.6)
    axes.set_axisbelow(True)
    without_frame(axes, "top", "right")
    figure.legend(loc="outside upper left", ncols=2, frameon=False, borderpad=0, handlelength=2.8)


def without_frame(axes: Axes, *sides: str) -> None:
    """Remove sides of the frame, and all ticks."""
    axes.tick_params(length=0)
    for side in sides:
        axes.spines[side].set_visible(False)
