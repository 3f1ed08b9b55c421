"""Temporary folders of our own processes: nothing of the frameworks is left, and the user's settings stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tfexport.processes.isolation import call_isolated
from tfexport.processes.temporary import temporary_folder, temporary_variables
from tfexport.processes.worker import Limits, Worker


def _leave_something() -> str:
    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    return name


def _leaver() -> Callable[[], str]:
    return _leave_something


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is TMPDIR."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_a_child_leaves_is_removed(temporary: Path) -> None:
    left = Path(call_isolated(_leave_something))
    assert left.parent.parent == temporary
    with Worker(partial(_leaver), Limits()) as worker:
        left = Path(worker())
        assert left.exists()
        assert left.parent.parent == temporary
    assert list(temporary.iterdir()) == []


def test_the_folder_is_private_and_the_settings_come_back(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with temporary_folder():
        folder = Path(tempfile.gettempdir())
        assert folder.stat().st_mode & 0o777 == 0o700
        assert os.environ["TMPDIR"] == str(folder)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "torchinductor")  # as PyTorch does
        _leave_something()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(temporary)
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    assert list(temporary.iterdir()) == []


def test_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with temporary_variables() as variables:
        assert variables == {}
    with temporary_folder():
        pass


def test_an_error_in_the_block_is_not_swallowed(temporary: Path) -> None:
    with pytest.raises(OSError, match="mine"), temporary_folder():
        raise OSError("mine")
    assert list(temporary.iterdir()) == []
