"""The configuration of a checkpoint of transformers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfexport.checkpoints import transformers_api
from tfexport.checkpoints.remote_code import code_needed, named_code
from tfexport.errors import (
    CheckpointNotFoundError,
    CorruptCheckpointError,
    TfExportError,
    UnreadableFileError,
    UnsupportedCheckpointError,
    UnsupportedModelTypeError,
    first_line,
)
from tfexport.files.json_files import read_object

CONFIG = "config.json"
_COUNTED = re.compile(r"layers?$|depths?$|blocks?$|num_labels$|attention_types$|stages?$")
_MOST = 10**6
"""Layers or labels that a configuration may name; transformers makes lists of as many items when it reads it."""
_OF_VALUES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError)


def read_config(path: Path | None, source: str, cache_dir: str | None, model_type: str | None) -> Any:
    """Read the configuration of a checkpoint (``transformers.PretrainedConfig``).

    Args:
        path: The local folder; None for a hub id that is not in the local cache.
        source: Name of the checkpoint as the user wrote it.
        cache_dir: Folder in which transformers keeps downloads; None for its default.
        model_type: Model type that the user named; None for that of the configuration.

    Raises:
        CheckpointNotFoundError: The configuration is missing, or the hub cannot be reached.
        CorruptCheckpointError: The configuration is not JSON, or does not name a model type.
        TransformersNotInstalledError: transformers is not installed.
        UnsupportedCheckpointError: The configuration is read only by Python of the checkpoint.
        UnsupportedModelTypeError: transformers does not know the model type.
    """
    if path is not None:
        model_type = _local_model_type(path / CONFIG, source, model_type)
    try:
        return transformers_api.read_configuration(source if path is None else str(path), model_type, cache_dir)
    except TfExportError:
        raise
    except Exception as error:  # the boundary of transformers: what others wrote decides what its classes raise
        if transformers_api.needs_remote_code(error):
            raise UnsupportedCheckpointError(
                f"{source} cannot be exported: {code_needed(path, 'AutoConfig')}. Use a checkpoint whose model type transformers "
                "knows."
            ) from error
        if isinstance(error, OSError) and path is None:
            raise CheckpointNotFoundError(
                f"{source} is neither a local folder nor a model that the hub returns now: {first_line(error)}"
            ) from error
        raise CorruptCheckpointError(
            f"the {CONFIG} of {source} is not one of {model_type or 'any model type'}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error


@contextmanager
def values_of_configuration(source: str) -> Iterator[None]:
    """Turn the error of a calculation with values of a configuration into a typed one: a size may be a text, a list, or 0.

    Args:
        source: Name of the checkpoint.

    Raises:
        CorruptCheckpointError: A value is not one that can be calculated with.
    """
    try:
        yield
    except TfExportError:
        raise
    except _OF_VALUES as error:
        raise CorruptCheckpointError(
            f"the {CONFIG} of {source} has a value that is not one of its model type: {type(error).__name__}: "
            f"{first_line(error)}. Fetch or save it again."
        ) from error


def contradicting_labels(path: Path | None) -> str:
    """Return a sentence on a configuration that gives two numbers of labels; empty for any other.

    transformers 4.57.6 counts the labels of ``id2label``, and drops ``num_labels``.

    Args:
        path: The local folder of a checkpoint; None for a hub id that is not in the local cache.
    """
    if path is None:
        return ""
    try:
        values = read_object(path / CONFIG)
    except UnreadableFileError:
        return ""
    number, labels = values.get("num_labels"), values.get("id2label")
    if not isinstance(number, int) or not isinstance(labels, dict) or number == len(labels):
        return ""
    return (
        f" {CONFIG} has two numbers of labels: num_labels is {number}, and id2label lists {len(labels)}. transformers counts "
        "id2label. Make the two agree with the weights."
    )


def _local_model_type(file: Path, source: str, requested: str | None) -> str:
    declared = _declared_model_type(file, source)
    model_type = requested or declared
    if not model_type or not isinstance(model_type, str):
        # transformers would guess it from the folder's name, so that the same files would differ by where they lie.
        raise CorruptCheckpointError(
            f"{file} does not name a model_type. Add it to the file, or pass --model-type (model_type=...), "
            "for example bert."
        )
    if not transformers_api.knows_model_type(model_type):
        own_code = f" {_sentence(code_needed(file.parent, ''))}" if named_code(file.parent) else ""
        raise UnsupportedModelTypeError(
            f"{file} names the model type {model_type!r}, which transformers does not know.{own_code}"
        )
    return model_type


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _declared_model_type(file: Path, source: str) -> Any:
    if not os.path.lexists(file):
        raise CheckpointNotFoundError(f"{source} has no {CONFIG}.")
    try:
        values = read_object(file)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Fetch or save it again.") from error
    for name, number in _counts(values):
        if number > _MOST:
            raise CorruptCheckpointError(
                f"{file} has {name} {number:,}, and at most {_MOST:,} are expected of any model. Fetch or save it again."
            )
    return values.get("model_type")


def _counts(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield the numbers of things that classes of configurations list one by one: layers, blocks, labels."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _counts(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _counts(each, name)
    elif isinstance(value, int) and _COUNTED.search(name):
        yield name, value
