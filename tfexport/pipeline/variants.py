"""Variants of the files of an export: made by transforms, and validated against the source, each with its own tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfexport.errors import ConversionError
from tfexport.graph import OnnxFiles, OnnxGraph
from tfexport.pipeline.transforms.base import Transform
from tfexport.validation import Reference, Tolerance, ValidationReport, validate_files


@dataclass(frozen=True)
class Variant:
    """The files that one transform made.

    Attributes:
        transform: Name of the transform.
        files: The files of the variant, by the names of the files that they are made from.
        tolerance: The tolerance of their validation.
    """

    transform: str
    files: Mapping[str, OnnxFiles]
    tolerance: Tolerance


@dataclass(frozen=True)
class ValidatedVariant:
    """A variant and its validation.

    Attributes:
        variant: The variant.
        report: The report of its validation.
    """

    variant: Variant
    report: ValidationReport

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems, each with the name of the transform."""
        return tuple(f"{self.variant.transform}: {problem}" for problem in self.report.problems)


def make_variants(
    transforms: Sequence[Transform], files: Mapping[str, OnnxFiles], folder: Path, base: Tolerance
) -> tuple[Variant, ...]:
    """Apply each transform to the files of an export.

    Raises:
        ConversionError: A transform cannot make its variant, or did not write the files that it names.
    """
    variants = tuple(Variant(each.name, each.apply(files, folder), each.tolerance(base)) for each in transforms)
    taken = {written.model for written in files.values()}
    for transform, variant in zip(transforms, variants, strict=True):
        expected = {name: folder / f"{transform.variant(name)}.onnx" for name in files}
        made = {name: written.model for name, written in variant.files.items()}
        if made != expected or not all(path.is_file() for path in made.values()):
            raise _refused(transform, f"wrote {_names(made)}; expected {_names(expected)}")
        if taken & set(made.values()):
            raise _refused(transform, f"overwrites files of the export: {_names(made)}")
        taken |= set(made.values())
    return variants


def validate_variants(
    variants: Sequence[Variant], graphs: Mapping[str, OnnxGraph], references: Mapping[str, Reference]
) -> tuple[ValidatedVariant, ...]:
    """Compare each variant with the source, as the files that it is made from."""
    return tuple(
        ValidatedVariant(each, validate_files(each.files, graphs, references, each.tolerance)) for each in variants
    )


def _refused(transform: Transform, problem: str) -> ConversionError:
    return ConversionError(f"the transform {transform.name} {problem}. Leave it out of Writing.transforms.")


def _names(paths: Mapping[str, Path]) -> str:
    return ", ".join(sorted(path.name for path in paths.values())) or "no file"
