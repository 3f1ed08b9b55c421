"""Files that a user names: replaced whole, or written through where they are not regular files."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tfexport.errors import OutputError
from tfexport.files.writing import check_writable, write_text


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("earlier")
    file.chmod(0o640)
    check_writable([file])
    assert file.read_text() == "earlier"
    write_text(file, "later", what="the report")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("later", 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_folders_are_made_when_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "report"
    check_writable([file])
    assert not (tmp_path / "a").exists()
    write_text(file, "x", what="the report")
    assert file.read_text() == "x"


def test_a_link_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("earlier")
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "later", what="the report")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "later"


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_file_is_not_removed_by_the_check(empty: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("" if empty else "x")
    check_writable([tmp_path / "file"])
    assert (tmp_path / "file").exists()


def test_a_device_is_written_through() -> None:
    before = Path("/dev/null").stat()
    check_writable([Path("/dev/null")])
    write_text(Path("/dev/null"), "x", what="the report")
    assert Path("/dev/null").is_char_device()
    assert Path("/dev/null").stat().st_rdev == before.st_rdev


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    check_writable([fifo])
    while True:
        try:
            write_text(fifo, "x" * 200_000, what="the report")
            break
        except OutputError:  # the reader has not opened it yet
            continue
    reader.join(10)
    assert read == ["x" * 200_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_fifo_that_nobody_reads_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "fifo", "x", what="the report")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "it is a folder"),
        ("file/below", "not a folder|Not a directory"),
        ("x" * 300, "too long"),
        ("loop", "loop|links"),
    ],
)
def test_what_cannot_be_written(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match=says):
        check_writable([tmp_path / name])
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / name, "x", what="the report")


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("earlier")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        write_text(tmp_path / "file", "later", what="the report")
    monkeypatch.undo()
    assert (tmp_path / "file").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
