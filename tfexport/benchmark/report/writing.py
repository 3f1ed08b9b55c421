"""Write reports to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfexport.benchmark.report.csv_text import comma_separated as as_csv
from tfexport.benchmark.report.html_page import html as as_html
from tfexport.benchmark.report.markdown_text import markdown as as_markdown
from tfexport.files.writing import write_text


def render(
    document: Mapping[str, Any],
    *,
    html: Path | None = None,
    markdown: Path | None = None,
    csv: Path | None = None,
) -> None:
    """Write reports on a results document.

    Args:
        document: Document as in ``results.schema.json``.
        html: File of an HTML page; None for none.
        markdown: File of tables for a README; None for none.
        csv: File with one line per cell; None for none.

    Raises:
        OutputError: A file cannot be written.
    """
    for path, made in ((html, as_html), (markdown, as_markdown), (csv, as_csv)):
        if path is not None:
            write_text(path, made(document), what="the report")
