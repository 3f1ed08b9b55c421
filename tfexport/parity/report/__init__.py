"""What came of a comparison: for a terminal, as JSON, as a page."""

from tfexport.parity.report.page import html
from tfexport.parity.report.report import Report

__all__ = ["Report", "html"]
