"""Manifests of others: a wrong type at any place is one error, and an earlier version still reads."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tfexport.errors import CorruptCheckpointError
from tfexport.graph import Contract, Port
from tfexport.pipeline.manifest import contracts_of
from tfexport.pipeline.publishing import MANIFEST, read_manifest

DIGEST = "0" * 64
FULL: dict[str, Any] = {
    "schema_version": 1,
    "source": {
        "checkpoint": "/models/bert",
        "model_type": "bert",
        "model_class": "BertModel",
        "options": {"trust": True},
        "sha256": {"model.safetensors": DIGEST},
    },
    "framework": {"name": "pt", "reason": "its own"},
    "feature": "default",
    "exporter": "torchscript",
    "validated": True,
    "graphs": {
        "model.onnx": {
            "nodes": 1,
            "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 4]}],
            "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 3]}],
        }
    },
    "stages": {"load": {"seconds": 1.5, "peak_rss_mib": 100}},
    "files": {"model.onnx": {"bytes": 5, "sha256": DIGEST}},
    "of a later version": {"anything": [1, None]},
}
FREE = {
    ("of a later version",),
    ("framework", "reason"),
    ("graphs", "model.onnx", "nodes"),
    ("stages", "load", "peak_rss_mib"),
}
"""Places that nobody reads."""
MAY_BE_NULL = {("source", "options"), ("source", "model_type"), ("exporter",), ("validated",)}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(each, (*path, key))


PLACES = [
    path
    for path in _places(FULL)
    if not any(path[: len(free)] == free for free in FREE) and path[:2] != ("source", "options")
]


def _with(path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(FULL)
    holder: Any = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


def _write(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)


def test_the_full_one(tmp_path: Path) -> None:
    _write(tmp_path, json.dumps(FULL))
    assert read_manifest(tmp_path) == FULL
    assert contracts_of(FULL) == {
        "model": Contract((Port("x", "float32", ("batch", 4)),), (Port("y", "float32", ("batch", 3)),))
    }


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)) or "top")
def test_a_wrong_type(path: tuple[Any, ...], tmp_path: Path) -> None:
    original: Any = FULL
    for key in path:
        original = original[key]
    odds: tuple[Any, ...] = (None, 5, -1, True, "text", "", [], [[]], {"a": 5}, 1.5, "a\0b")
    for odd in odds:
        if isinstance(odd, type(original)) or (odd is None and path in MAY_BE_NULL):
            continue
        if path[-2:-1] == ("shape",) and isinstance(odd, int | str) and not isinstance(odd, bool):
            continue
        if path and path[-1] == "seconds" and odd == 5:
            continue
        _write(tmp_path, json.dumps(_with(path, odd)))
        with pytest.raises(CorruptCheckpointError, match="export the checkpoint again"):
            read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("framework", "name"), "jax"),
        (("schema_version",), 2),
        (("files", "model.onnx", "bytes"), -1),
        (("files", "model.onnx", "sha256"), "0"),
        (("stages", "load", "seconds"), -1),
        (("stages", "load", "seconds"), float("nan")),
        (("stages", "load", "seconds"), float("inf")),
        (("files", "model.onnx", "bytes"), 10**400),
        (("source", "checkpoint"), "a\0b"),
    ],
)
def test_a_wrong_value(path: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    _write(tmp_path, json.dumps(_with(path, value)))
    with pytest.raises(CorruptCheckpointError):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"a":' * 100_000, "5", "null", "[]", '"text"', "{", "\xff"])
def test_what_is_not_a_manifest(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptCheckpointError):
        read_manifest(tmp_path)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    file = tmp_path / MANIFEST
    file.mkdir()
    with pytest.raises(CorruptCheckpointError, match="it is a folder"):
        read_manifest(tmp_path)
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(CorruptCheckpointError, match="it is a FIFO"):
        read_manifest(tmp_path)
    for target, problem in (("/dev/zero", "it is a device"), ("nowhere", "No such file"), (MANIFEST, "symbolic links")):
        file.unlink()
        file.symlink_to(target)
        with pytest.raises(CorruptCheckpointError, match=problem):
            read_manifest(tmp_path)


def test_none_and_an_early_one(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == {}
    for early in ({}, {"schema_version": 1, "graphs": {"model.onnx": {"nodes": 5}}, "framework": {}, "source": {}}):
        _write(tmp_path, json.dumps(early))
        assert read_manifest(tmp_path) == early
        assert contracts_of(early) == {}
