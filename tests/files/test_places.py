"""Where names of a document lead, and how much a file holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfexport.errors import UnreadableFileError
from tfexport.files.places import MOST_HOLES, check_held, exists, expanded, held_bytes, inside


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../../b", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="is not the name of a file in"):
        inside(tmp_path, name)


def test_links(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.onnx").write_text("x")
    (tmp_path / "secret").write_text("y")
    (folder / "own").symlink_to("model.onnx")
    (folder / "out").symlink_to("../secret")
    (folder / "above").symlink_to("..")
    (folder / "circle").symlink_to("circle")
    assert inside(folder, "own").read_text() == "x"
    assert inside(folder, "sub/none") == folder / "sub" / "none"
    for name in ("out", "above/secret"):
        with pytest.raises(UnreadableFileError, match="is a link that leads out"):
            inside(folder, name)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        inside(folder, "circle")


def test_a_snapshot_of_the_hub(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "abc", tmp_path / "models--a--b" / "blobs"
    (snapshot / "onnx").mkdir(parents=True)
    blobs.mkdir()
    (blobs / "123").write_text("x")
    (snapshot / "onnx" / "model.onnx").symlink_to("../../../blobs/123")
    assert inside(snapshot, "onnx/model.onnx").read_text() == "x"
    assert inside(snapshot / "onnx", "model.onnx").read_text() == "x"
    (snapshot / "out").symlink_to("/etc/passwd")
    with pytest.raises(UnreadableFileError, match="leads out"):
        inside(snapshot, "out")


def test_a_file_of_holes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10_000)
    assert check_held(file) == 10_000
    os.truncate(file, MOST_HOLES)
    assert check_held(file) == MOST_HOLES
    assert held_bytes(file) < 100_000
    os.truncate(file, 2**40)
    with pytest.raises(UnreadableFileError, match="1,099,511,627,776 bytes, and holds .* the others are holes"):
        check_held(file)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UnreadableFileError, match="it is a FIFO"):
        check_held(tmp_path / "fifo")
    assert held_bytes(tmp_path / "none") == 0


def test_paths_that_cannot_be_looked_at(tmp_path: Path) -> None:
    assert exists(tmp_path)
    for path in (tmp_path / "none", tmp_path / ("n" * 5000), Path("a\0b")):
        assert not exists(path)
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    assert expanded("~") == Path.home()
