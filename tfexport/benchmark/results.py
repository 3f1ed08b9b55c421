"""Results files: one JSON document with a version and every raw value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tfexport.errors import ResultsError, UnreadableFileError
from tfexport.files.json_files import check as check_form
from tfexport.files.json_files import read_object
from tfexport.files.writing import write_text
from tfexport.keywords import shown

SCHEMA_VERSION = 1
_SCHEMA = "results.schema.json"


def created() -> str:
    """Return the current time as text of a results file."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a results file, completely or not at all.

    Raises:
        OutputError: The file cannot be written.
        ResultsError: The document does not follow the schema.
    """
    check(document, str(path))
    write_text(path, dumps(document), what="the results file")


def dumps(document: dict[str, Any]) -> str:
    """Return a document as JSON with one line per list of numbers, so that the file stays readable."""
    return _indented(document, 0) + "\n"


def read(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises:
        ResultsError: It is not a results file, or has another version.
    """
    try:
        document = read_object(path, finite=True)
    except UnreadableFileError as error:
        raise ResultsError(f"{error}. Expected a results file of tfexport benchmark.") from error
    check(document, str(path))
    return document


def check(document: Any, name: str) -> None:
    """Check that a document is a results file of this version.

    Raises:
        ResultsError: It is not.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        found = "it has no schema_version" if version is None else f"its schema_version is {shown(version)}"
        raise ResultsError(
            f"{name} is not a results file that can be read: {found}, expected {SCHEMA_VERSION}. Measure again."
        )
    try:
        check_form(document, schema(), name)
    except UnreadableFileError as error:
        raise ResultsError(f"{error}. It is not a results file of tfexport benchmark: measure again.") from error
    for cell in (cell for group in document["groups"] for cell in group["cells"]):
        if len({len(values) for values in cell.get("cold", {}).values()}) > 1:
            raise ResultsError(
                f"{name} is not a results file of tfexport benchmark: the lists of cold of {cell['key']} differ in length."
            )


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a results file."""
    return dict(json.loads((files(__package__) / _SCHEMA).read_text()))


def _indented(value: Any, depth: int) -> str:
    """Return a value as indented JSON, in which a value that contains no mapping is one line."""
    if isinstance(value, dict) and value:
        inner = " " * (depth + 1)
        lines = (f"{inner}{json.dumps(name)}: {_indented(each, depth + 1)}" for name, each in value.items())
        return "{\n" + ",\n".join(lines) + f"\n{' ' * depth}}}"
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        inner = " " * (depth + 1)
        return "[\n" + ",\n".join(f"{inner}{_indented(each, depth + 1)}" for each in value) + f"\n{' ' * depth}]"
    return json.dumps(value, allow_nan=False)
