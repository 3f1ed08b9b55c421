"""The options of an export: taken as keywords, validated once, passed whole from then on.

A new option is three lines: the field of a group, the key of `ExportKeywords`, and the parameter of the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import index
from pathlib import Path
from typing import Any, Unpack

from tfexport.checkpoints.framework import Framework, check_framework
from tfexport.checkpoints.preprocessor import PreprocessorKind, check_preprocessor_kind
from tfexport.checkpoints.signature import SignatureKeywords, SignatureOptions, signature_options
from tfexport.errors import OpsetError
from tfexport.graph import check_opset
from tfexport.keywords import (
    Reader,
    checked_by,
    flag,
    name_text,
    not_negative,
    optional,
    path_text,
    read_keywords,
    shown,
)


@dataclass(frozen=True)
class Selection:
    """Which model is exported, and how it is found.

    Attributes:
        feature: Name of the feature, for example ``"masked-lm"``.
        framework: Framework that exports; None for the checkpoint's own, or an installed one.
        model_type: Model type of a configuration that does not name one.
        preprocessor: Kind of preprocessor to load.
        cache_dir: Folder in which transformers keeps downloads; None for its default.
    """

    feature: str = "default"
    framework: Framework | None = None
    model_type: str | None = None
    preprocessor: PreprocessorKind = "auto"
    cache_dir: str | None = None


@dataclass(frozen=True)
class Writing:
    """Which files are written.

    Attributes:
        opset: Version of the ONNX operator set; None for the declaration's default.
        monolith: Whether an encoder-decoder becomes one file.
        genai: Whether ``genai_config.json`` is written.
        transforms: Transforms that make further variants of the files; reserved, and empty today.
    """

    opset: int | None = None
    monolith: bool = False
    genai: bool = False
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acceptance:
    """Which results are accepted.

    Attributes:
        atol: Absolute tolerance of the validation; None for the declaration's.
        rtol: Tolerance relative to the largest magnitude of an output; None for the default.
        allow_missing_weights: Whether weights that the checkpoint lacks are exported as initialised.
        keep_invalid: Whether a file that fails validation is published.
    """

    atol: float | None = None
    rtol: float | None = None
    allow_missing_weights: bool = False
    keep_invalid: bool = False


@dataclass(frozen=True)
class ExportOptions:
    """All options of an export. `export_options` makes it from keywords, and validates each.

    Attributes:
        selection: Which model is exported, and how it is found.
        writing: Which files are written.
        acceptance: Which results are accepted.
        signature: How a model that declares itself is read.
    """

    selection: Selection = field(default_factory=Selection)
    writing: Writing = field(default_factory=Writing)
    acceptance: Acceptance = field(default_factory=Acceptance)
    signature: SignatureOptions = field(default_factory=SignatureOptions)


class ExportKeywords(SignatureKeywords, total=False):
    """The keywords of `tfexport.export_model`, which documents each."""

    feature: str
    framework: str | None
    model_type: str | None
    preprocessor: str
    cache_dir: str | Path | None
    opset: int | None
    monolith: bool
    genai: bool
    atol: float | None
    rtol: float | None
    allow_missing_weights: bool
    keep_invalid: bool


def export_options(**keywords: Unpack[ExportKeywords]) -> ExportOptions:
    """Validate the keywords of an export and distribute them to their groups.

    Raises:
        TypeError: A keyword is not an option of an export.
        InputsError: A value is not of its type, or a tolerance, a length or the name of an axis is not valid.
        UnknownFrameworkError: The framework is neither ``"pt"`` nor ``"tf"``.
        OpsetError: The installed onnx does not know the opset.
    """
    unknown = [name for name in keywords if name not in ExportKeywords.__optional_keys__]
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}: it is not an option of an export")
    values = read_keywords(keywords, _READERS)
    return ExportOptions(
        Selection(**_of(Selection, values)),
        Writing(**_of(Writing, values)),
        Acceptance(**_of(Acceptance, values)),
        signature_options(**_of(SignatureOptions, values)),
    )


def _of(group: Any, values: Mapping[str, Any]) -> Any:
    """Return those values that are fields of a group."""
    names = {each.name for each in fields(group)}
    return {name: value for name, value in values.items() if name in names}


def _opset(value: Any) -> int:
    try:
        number = index(value)
    except TypeError:
        raise OpsetError(f"the opset is {shown(value)}; expected a whole number (--opset, opset=...).") from None
    return check_opset(number)


_READERS: dict[str, Reader] = {
    "feature": name_text,
    "framework": optional(checked_by(check_framework)),
    "model_type": optional(name_text),
    "preprocessor": checked_by(check_preprocessor_kind),
    "cache_dir": optional(path_text),
    "opset": optional(checked_by(_opset)),
    "monolith": flag,
    "genai": flag,
    "atol": optional(not_negative),
    "rtol": optional(not_negative),
    "allow_missing_weights": flag,
    "keep_invalid": flag,
}
"""Functions that check and convert a keyword, by name; `signature_options` reads those of a model that declares itself."""
