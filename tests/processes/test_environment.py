"""Environment variables are written in one module, and restored, also where several threads set them."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import support
from tfexport.processes.environment import child_environment, environment, quiet_environment

PACKAGE = support.ROOT / "tfexport"
WRITER = PACKAGE / "processes" / "environment.py"
WRITES = {"update", "setdefault", "pop", "popitem", "clear", "putenv", "unsetenv"}
NAME = "TFEXPORT_TEST_VARIABLE"


def _writes(file: Path) -> Iterator[int]:
    """Lines of a file that change ``os.environ``."""
    environ = ("os.environ", "environ")
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            writes = node.attr in WRITES and ast.unparse(node.value) in (*environ, "os")
        elif isinstance(node, ast.Subscript):
            writes = not isinstance(node.ctx, ast.Load) and ast.unparse(node.value) in environ
        else:
            continue
        if writes:
            yield node.lineno


def test_one_module_writes_the_environment() -> None:
    assert list(_writes(WRITER))
    elsewhere = [f"{file.relative_to(PACKAGE)}:{line}" for file in PACKAGE.rglob("*.py") for line in _writes(file)]
    assert [place for place in elsewhere if not place.startswith("processes/environment.py")] == []


def test_variables_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    before = dict(os.environ)
    with child_environment(3):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert dict(os.environ) == before


def test_variables_are_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), environment({NAME: "1"}):
        _ = 1 / 0
    assert NAME not in os.environ


@pytest.mark.parametrize(("of_the_user", "within"), [("0", "0"), (None, "3")])
def test_the_users_level_of_logging_is_kept(
    of_the_user: str | None, within: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    if of_the_user is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", of_the_user)
    with quiet_environment():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == within
    assert os.environ.get("TF_CPP_MIN_LOG_LEVEL") == of_the_user


def test_blocks_of_two_threads_do_not_interleave() -> None:
    """Without the lock, the block that began second would restore what the first one had set."""
    inside, seen = threading.Event(), []

    def second() -> None:
        inside.wait()
        with environment({NAME: "second"}):
            seen.append(os.environ[NAME])

    thread = threading.Thread(target=second)
    thread.start()
    with environment({NAME: "first"}):
        inside.set()
        thread.join(timeout=0.2)
        seen.append(os.environ[NAME])
    thread.join()
    assert seen == ["first", "second"]
    assert NAME not in os.environ
