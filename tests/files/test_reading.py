"""Files of others: what is not a regular file is refused, what is too large is not read, JSON is bounded in depth."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tfexport.errors import UnreadableFileError
from tfexport.files.json_files import read_json, read_object
from tfexport.files.reading import is_regular, open_regular, read_bytes, read_text


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "file")
    return folder / "file"


def to_itself(folder: Path) -> Path:
    (folder / "file").symlink_to("file")
    return folder / "file"


def listening(folder: Path) -> Path:
    os.chdir(folder)  # the name of a socket has at most 108 characters
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("file")
    return folder / "file"


def device(folder: Path) -> Path:
    (folder / "file").symlink_to("/dev/zero")
    return folder / "file"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (fifo, "a FIFO"),
        (device, "a device"),
        (listening, "a socket"),
        (to_itself, "symbolic links"),
        (lambda folder: folder, "a folder"),
        (lambda folder: folder / "absent", "No such file"),
        (lambda folder: folder / ("x" * 300), "too long"),
        (lambda folder: folder / "a\0b", "null"),
    ],
)
def test_what_is_not_a_regular_file(
    make: Callable[[Path], Path], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = make(tmp_path)
    started = time.monotonic()
    with pytest.raises(UnreadableFileError, match=says):
        open_regular(file)
    assert not is_regular(file)
    assert time.monotonic() - started < 5


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("content")
    (tmp_path / "file").symlink_to("blob")
    assert read_text(tmp_path / "file") == "content"


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as made:
        made.truncate(2**40)
    with pytest.raises(UnreadableFileError, match="1,099,511,627,776 bytes, and at most 1,000"):
        read_bytes(tmp_path / "file", 1000)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 300 + b"]" * 300, "nested deeper"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "not a text in UTF-8: byte 0"),
        (b"9" * 100_000, "is not JSON"),
        (b"{} {}", "is not JSON"),
    ],
)
def test_what_is_not_json(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=says) as caught:
        read_json(tmp_path / "file")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 400])
def test_numbers_that_are_not_finite(number: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(f'{{"a": {number}}}')
    read_json(tmp_path / "file")
    with pytest.raises(UnreadableFileError, match="number"):
        read_json(tmp_path / "file", finite=True)


@pytest.mark.parametrize("content", ["[]", "null", "1", '"a"', "true"])
def test_an_object_is_expected(content: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(UnreadableFileError, match="does not hold a JSON object"):
        read_object(tmp_path / "file")


def test_a_schema_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"files": {"a": {"bytes": "x"}}}')
    schema = {"properties": {"files": {"additionalProperties": {"properties": {"bytes": {"type": "integer"}}}}}}
    with pytest.raises(UnreadableFileError, match="at files/a/bytes, 'x' is not of type 'integer'"):
        read_json(tmp_path / "file", schema=schema)
