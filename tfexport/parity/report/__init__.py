"""What came of a comparison: for a terminal, as JSON, as a page."""

from tfexport.parity.report.page import html
from tfexport.parity.report.report import Report

ParityReport = Report
"""The public name of `Report`, at the top of the package."""

__all__ = ["ParityReport", "Report", "html"]
