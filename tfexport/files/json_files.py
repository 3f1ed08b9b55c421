"""One reader of JSON: bounded in size and depth, checked against a schema, with one error for whatever is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tfexport.errors import UnreadableFileError
from tfexport.files.reading import LARGEST_TEXT, decoded, read_bytes
from tfexport.text import shortened

DEEPEST = 200
"""Levels of nesting. The deepest configuration that we know, a Keras model in a model, has 25."""
_LARGEST_INTEGER = 2**63
_LONGEST_REASON = 200


def read_json(file: Path, *, schema: Mapping[str, Any] | None = None, finite: bool = False) -> Any:
    """Read a JSON file.

    Args:
        file: The file.
        schema: JSON Schema (2020-12) that the document must follow; None for any document.
        finite: Refuse NaN, infinity, and numbers that are larger than 64 bits hold. Python's ``json`` accepts them.

    Raises:
        UnreadableFileError: The file cannot be opened, is too large, is not JSON, is nested too deeply, or does not follow the
            schema.
    """
    return parse_json(read_bytes(file, LARGEST_TEXT), str(file), schema=schema, finite=finite)


def read_object(file: Path, *, schema: Mapping[str, Any] | None = None, finite: bool = False) -> dict[str, Any]:
    """Read a JSON file whose top is an object. See `read_json`."""
    found = read_json(file, schema=schema, finite=finite)
    if not isinstance(found, dict):
        raise UnreadableFileError(f"{file} does not hold a JSON object: it holds {_kind(found)}")
    return found


def parse_json(
    content: bytes | str, name: str, *, schema: Mapping[str, Any] | None = None, finite: bool = False
) -> Any:
    """Parse JSON. See `read_json`.

    Args:
        content: The document.
        name: Name of the file for messages.
        schema: JSON Schema that it must follow; None for any document.
        finite: Refuse numbers that are not finite.

    Raises:
        UnreadableFileError: The content is not JSON, is nested too deeply, or does not follow the schema.
    """
    text = content if isinstance(content, str) else decoded(content, name)
    try:
        document = json.loads(text, **_FINITE) if finite else json.loads(text)
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:
        raise UnreadableFileError(f"{name} is not JSON: {shortened(str(error), _LONGEST_REASON)}") from error
    if any(depth > DEEPEST for depth in _depths(document)):
        raise _too_deep(name)
    if schema is not None:
        check(document, schema, name)
    return document


def check(document: Any, schema: Mapping[str, Any], name: str) -> None:
    """Check a document against a JSON Schema.

    Raises:
        UnreadableFileError: The document does not follow the schema. The message names the place and what is wrong there.
    """
    import jsonschema  # imported when needed: --help must not wait for it

    wrong = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(document)), None)
    if wrong is not None:
        place = "/".join(map(str, wrong.absolute_path)) or "its top"
        raise UnreadableFileError(
            f"{name} does not have the expected form: at {shortened(place, _LONGEST_REASON)}, "
            f"{shortened(wrong.message, _LONGEST_REASON)}"
        )


def _depths(document: Any) -> Iterator[int]:
    """Yield the depth of every container. A walk without recursion: the document may be as deep as Python allows."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (dict, list)):
            yield depth
            waiting += [(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value)]


def _too_deep(name: str) -> UnreadableFileError:
    return UnreadableFileError(f"{name} is JSON that is nested deeper than {DEEPEST} levels")


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shortened(text, 40)} is too large a number")
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > _LARGEST_INTEGER:
        raise ValueError(f"{shortened(text, 40)} is too large a number")
    return value


_FINITE: dict[str, Any] = {"parse_constant": _constant, "parse_float": _float, "parse_int": _integer}
