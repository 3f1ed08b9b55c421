"""Every file of an export judged: case by case, and what those that generate write."""

from __future__ import annotations

from collections.abc import Mapping

from tfexport.declarations.parts import DECODER_PART, NEXT_STEP_PART
from tfexport.graph import OnnxFiles, OnnxGraph
from tfexport.validation import Tolerance, ValidationReport, combine, standard_cases, validate_file
from tfexport.validation.merged_decoder import MergedSource
from tfexport.validation.reference import Reference
from tfexport.validation.text_generation import validate_generation


def validate_files(
    files: Mapping[str, OnnxFiles],
    graphs: Mapping[str, OnnxGraph],
    references: Mapping[str, Reference],
    tolerance: Tolerance,
) -> ValidationReport:
    """Compare files with the model that they were made of.

    Args:
        files: what was written, by name without ``.onnx``.
        graphs: the graphs of the same names, for their contracts.
        references: what each computes; the merged decoder is compared with the two that it merges.
        tolerance: what is allowed.

    Returns:
        One report of all files. Text is generated only with files that are right case by case.
    """
    reports: dict[str, ValidationReport] = {}
    for name, written in files.items():
        contract = graphs[name].contract
        if name in references:
            reference = references[name]
            cases = standard_cases(reference.config)
            reports[name] = validate_file(written.model, reference, cases, tolerance, contract=contract)
        else:
            merged = MergedSource(references[DECODER_PART], references[NEXT_STEP_PART])
            reports[name] = validate_file(written.model, merged, merged.cases(), tolerance, contract=contract)
    right = all(report.passed for report in reports.values())
    paths = {name: written.model for name, written in files.items()}
    return combine(tolerance, reports, validate_generation(paths, references, tolerance) if right else ())
