"""The attempts of an export, one per exporter: each fails to convert, or writes files, which are valid or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfexport.errors import ConversionError
from tfexport.graph import OnnxFiles, OnnxGraph
from tfexport.pipeline.variants import ValidatedVariant
from tfexport.validation import ValidationReport


@dataclass(frozen=True)
class FailedAttempt:
    """An exporter that could not convert the model.

    Attributes:
        route: Name of the exporter.
        failure: The error.
    """

    route: str
    failure: ConversionError

    @property
    def problems(self) -> tuple[str, ...]:
        """Reasons why the attempt is not valid."""
        return (str(self.failure),)


@dataclass(frozen=True)
class WrittenAttempt:
    """An exporter whose files were written and validated.

    Attributes:
        route: Name of the exporter.
        graphs: Converted graphs, by the file's name without ``.onnx``.
        files: Written files, by the same names.
        report: The validation.
        variants: Variants that transforms made of the files, each with its validation.
    """

    route: str
    graphs: Mapping[str, OnnxGraph]
    files: Mapping[str, OnnxFiles]
    report: ValidationReport
    variants: tuple[ValidatedVariant, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the files and their variants agree with their source."""
        return self.report.passed and all(each.report.passed for each in self.variants)

    @property
    def problems(self) -> tuple[str, ...]:
        """Reasons why the attempt is not valid, the exporter's own notes first; empty for valid files."""
        if self.valid:
            return ()
        notes = dict.fromkeys(note for graph in self.graphs.values() for note in graph.notes)
        variants = (problem for each in self.variants for problem in each.problems)
        return *notes, *self.report.problems, *variants


Attempt = FailedAttempt | WrittenAttempt
