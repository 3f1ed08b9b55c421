"""Validate every file of an export: case by case, then the text that files with a cache generate."""

from __future__ import annotations

from collections.abc import Mapping

from tfexport.declarations.parts import DECODER_PART, NEXT_STEP_PART
from tfexport.graph import Contract, OnnxFiles, OnnxGraph
from tfexport.validation.cases import standard_cases
from tfexport.validation.merged_decoder import MergedReference
from tfexport.validation.reference import Reference
from tfexport.validation.reports import ValidationReport, combine
from tfexport.validation.single_file import validate_file
from tfexport.validation.text_generation import validate_generation
from tfexport.validation.tolerance import Tolerance


def validate_files(
    files: Mapping[str, OnnxFiles],
    graphs: Mapping[str, OnnxGraph],
    references: Mapping[str, Reference],
    tolerance: Tolerance,
) -> ValidationReport:
    """Compare files with the model that they were made from.

    Args:
        files: The files, by name without ``.onnx``.
        graphs: The graphs of the same names, which hold the contracts.
        references: Reference of each file. The merged decoder has none: it is compared with the two that it merges.
        tolerance: The tolerance.

    Returns:
        One report of all files. Text is generated only with files that agree with the model case by case.
    """
    reports = {
        written.model.name: _validated(name, written, graphs[name].contract, references, tolerance)
        for name, written in files.items()
    }
    passed = all(report.passed for report in reports.values())
    paths = {name: written.model for name, written in files.items()}
    return combine(tolerance, reports, validate_generation(paths, references, tolerance) if passed else ())


def _validated(
    name: str, files: OnnxFiles, contract: Contract, references: Mapping[str, Reference], tolerance: Tolerance
) -> ValidationReport:
    if name in references:
        reference = references[name]
        return validate_file(files.model, reference, standard_cases(reference.config), tolerance, contract=contract)
    merged = MergedReference(references[DECODER_PART], references[NEXT_STEP_PART])
    return validate_file(files.model, merged, merged.cases(), tolerance, contract=contract)
