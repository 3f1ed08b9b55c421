"""Reports into files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfexport.benchmark.report.csv_text import comma_separated as as_csv
from tfexport.benchmark.report.html_page import html as as_html
from tfexport.benchmark.report.markdown_text import markdown as as_markdown
from tfexport.errors import OutputError


def render(
    document: Mapping[str, Any],
    *,
    html: Path | None = None,
    markdown: Path | None = None,
    csv: Path | None = None,
) -> None:
    """Write reports on a results document.

    Args:
        document: as in ``results.schema.json``.
        html: the file of a page; none by default, as of the others.
        markdown: the file of tables for a README.
        csv: the file with a line for each cell.

    Raises:
        OutputError: a file cannot be written.
    """
    for path, made in ((html, as_html), (markdown, as_markdown), (csv, as_csv)):
        if path is None:
            continue
        text = made(document)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"the report {path} cannot be written: {error.strerror}.") from error
