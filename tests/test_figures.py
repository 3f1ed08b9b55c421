"""The figures of README.md and docs/ are those of the recorded results."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import figures

PAGES = {page.relative_to(figures.ROOT).as_posix(): page for page in figures.pages()}
HEADLINES = {
    "export/bert-base/tf/seconds",
    "export/bert-base/tf/above",
    "export/gpt2-xl/tf/seconds",
    "export/gpt2-xl/tf/above",
    "export/bert-tiny/stock/times",
    "export/bert-mini/stock/times",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_figures_are_the_recorded_ones(page: Path) -> None:
    text = page.read_text()
    assert text == figures.updated(text), f"a figure differs from the results: {figures.COMMAND}"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_mark_is_read(page: Path) -> None:
    """A mark that is misspelt or not closed would leave its figure unchecked."""
    text = page.read_text()
    assert text.count("<!-- result ") == text.count("<!-- /result -->") == len(figures.names(text))


def test_the_headlines_are_marked() -> None:
    assert set(figures.names(PAGES["README.md"].read_text())) >= HEADLINES


def test_a_figure_that_differs_is_found() -> None:
    marked = "in <!-- result export/bert-base/tf/seconds -->0 s<!-- /result -->."
    assert figures.updated(marked) == marked.replace("0 s", figures.figure("export/bert-base/tf/seconds"))
