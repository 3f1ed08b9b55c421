"""Pages of one file: nothing fetched, for a phone and for a wide screen, in light and in dark."""

from tfexport.reporting.pages.drawing import Plot
from tfexport.reporting.pages.page import environment

__all__ = ["Plot", "environment"]
