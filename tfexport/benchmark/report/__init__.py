"""Reports on a results document: for a terminal, as Markdown, as comma-separated values, and as an HTML page."""

from tfexport.benchmark.report.csv_text import comma_separated
from tfexport.benchmark.report.html_page import html
from tfexport.benchmark.report.markdown_text import markdown
from tfexport.benchmark.report.table import Row, Table, rows, tables
from tfexport.benchmark.report.terminal import all_measured, summary
from tfexport.benchmark.report.writing import render

__all__ = [
    "Row",
    "Table",
    "all_measured",
    "comma_separated",
    "html",
    "markdown",
    "render",
    "rows",
    "summary",
    "tables",
]
