"""Every file of an export judged: case by case, and what those that generate write."""

from __future__ import annotations

from collections.abc import Mapping

from tfexport.encoder_decoder_parts import DECODER_PART, NEXT_STEP_PART
from tfexport.generation import validate_generation
from tfexport.graph import OnnxFiles, OnnxGraph
from tfexport.merged_decoder import MergedSource
from tfexport.subject import Subject
from tfexport.validation import Tolerance, ValidationReport, combine, standard_cases, validate


def judge_files(
    files: Mapping[str, OnnxFiles],
    graphs: Mapping[str, OnnxGraph],
    subjects: Mapping[str, Subject],
    tolerance: Tolerance,
) -> ValidationReport:
    """Compare files with the model that they were made of.

    Args:
        files: what was written, by name without ``.onnx``.
        graphs: the graphs of the same names, for their contracts.
        subjects: what each computes; the merged decoder is compared with the two that it merges.
        tolerance: what is allowed.

    Returns:
        One report of all files. Text is generated only with files that are right case by case.
    """
    reports: dict[str, ValidationReport] = {}
    for name, written in files.items():
        contract = graphs[name].contract
        if name in subjects:
            subject = subjects[name]
            cases = standard_cases(subject.config)
            reports[name] = validate(written.model, subject, cases, tolerance, contract=contract)
        else:
            merged = MergedSource(subjects[DECODER_PART], subjects[NEXT_STEP_PART])
            reports[name] = validate(written.model, merged, merged.cases(), tolerance, contract=contract)
    right = all(report.passed for report in reports.values())
    paths = {name: written.model for name, written in files.items()}
    return combine(tolerance, reports, validate_generation(paths, subjects, tolerance) if right else ())
