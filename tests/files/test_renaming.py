"""Renames that exchange two paths, or that never replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfexport.files import renaming
from tfexport.files.renaming import exchange, move


def _folders(parent: Path) -> tuple[Path, Path]:
    for name in ("first", "second"):
        (parent / name).mkdir()
        (parent / name / "name").write_text(name)
    return parent / "first", parent / "second"


def test_exchange(tmp_path: Path) -> None:
    first, second = _folders(tmp_path)
    if not exchange(first, second):
        pytest.skip("this file system cannot exchange directories")
    assert (first / "name").read_text() == "second"
    assert (second / "name").read_text() == "first"
    with pytest.raises(OSError, match="No such file"):
        exchange(first, tmp_path / "absent")


@pytest.mark.parametrize("native", [True, False])
def test_nothing_is_replaced(native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        monkeypatch.setattr(renaming, "_renameat2", lambda first, second, flags: False)  # as on macOS
    first, second = _folders(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for there in (second, second / "name", tmp_path / "empty", tmp_path / "dangling"):
        with pytest.raises(FileExistsError):
            move(first, there)
    move(first, tmp_path / "third")
    assert (tmp_path / "third" / "name").read_text() == "first"
    assert not first.exists()
