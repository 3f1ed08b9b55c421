"""Does the file compute what its source computes? Cases, comparison, and a verdict."""

from tfexport.validation.cases import Case, case_inputs, standard_cases, thorough_cases
from tfexport.validation.comparison import (
    CaseReport,
    GenerationReport,
    OutputReport,
    Tolerance,
    ValidationReport,
    combine,
    compare,
    json_number,
)
from tfexport.validation.single_file import flatten_inputs, validate_file

__all__ = [
    "Case",
    "CaseReport",
    "GenerationReport",
    "OutputReport",
    "Tolerance",
    "ValidationReport",
    "case_inputs",
    "combine",
    "compare",
    "flatten_inputs",
    "json_number",
    "standard_cases",
    "thorough_cases",
    "validate_file",
]
