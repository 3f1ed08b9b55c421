"""The report of a comparison: for a terminal, as JSON, and as an HTML page."""

from tfexport.parity.report.html_page import html
from tfexport.parity.report.parity_report import ParityReport

__all__ = ["ParityReport", "html"]
