"""Does the file compute what its source computes? Cases, comparison, and a verdict."""

from tfexport.validation.cases import Case, case_inputs, standard_cases
from tfexport.validation.comparison import CaseReport, OutputReport, Tolerance, ValidationReport, compare
from tfexport.validation.validate import validate

__all__ = [
    "Case",
    "CaseReport",
    "OutputReport",
    "Tolerance",
    "ValidationReport",
    "case_inputs",
    "compare",
    "standard_cases",
    "validate",
]
