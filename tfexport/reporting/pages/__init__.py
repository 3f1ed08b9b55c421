"""HTML pages of one file that load nothing else, for phones and wide screens, light and dark."""

from tfexport.reporting.pages.drawing import Plot
from tfexport.reporting.pages.templates import environment

__all__ = ["Plot", "environment"]
