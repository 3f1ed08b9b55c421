"""Compare exported files with the model that they were made from: cases, comparison, generated text, reports.

`exported_files` validates an export: each file (`single_file`) against its reference (`reference`, `merged_decoder`), then text
that the files generate (`text_generation`). Other rooms import from here; the modules of this package import each other.
"""

from tfexport.validation.cases import Case, longest_decoded, longest_sequence, standard_cases, thorough_cases
from tfexport.validation.comparison import compare, compare_output
from tfexport.validation.exported_files import validate_files
from tfexport.validation.inputs import actual_case, case_inputs, flatten_inputs
from tfexport.validation.reference import Reference
from tfexport.validation.reports import (
    CaseReport,
    GenerationReport,
    OutputReport,
    ValidationReport,
    combine,
    json_number,
)
from tfexport.validation.single_file import validate_file
from tfexport.validation.structure import check_structure
from tfexport.validation.text_generation import validate_generation
from tfexport.validation.tolerance import DEFAULT_RTOL, Tolerance

__all__ = [
    "DEFAULT_RTOL",
    "Case",
    "CaseReport",
    "GenerationReport",
    "OutputReport",
    "Reference",
    "Tolerance",
    "ValidationReport",
    "actual_case",
    "case_inputs",
    "check_structure",
    "combine",
    "compare",
    "compare_output",
    "flatten_inputs",
    "json_number",
    "longest_decoded",
    "longest_sequence",
    "standard_cases",
    "thorough_cases",
    "validate_file",
    "validate_files",
    "validate_generation",
]
