"""A child ends with its parent, also when the parent is killed, and the child computes in native code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import support

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(support.ROOT)}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which native code can hold up")
CALL = """
from tests.processes.functions import native_sleep
from tfexport.processes.isolation import call_isolated
if __name__ == "__main__":
    call_isolated(native_sleep, {file!r}, 60)
"""
WORKER = """
from tests.processes.functions import made
from tfexport.processes.worker import Limits, Worker
if __name__ == "__main__":
    Worker(made, Limits())("native sleep", ({file!r}, 60))
"""


@LINUX
@pytest.mark.parametrize("script", [CALL, WORKER], ids=["call", "worker"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_of_a_killed_parent(script: str, sent: signal.Signals, tmp_path: Path) -> None:
    file, program = tmp_path / "child", tmp_path / "program.py"
    program.write_text(script.format(file=str(file)))
    parent = subprocess.Popen([sys.executable, str(program)], cwd=support.ROOT, env=ENVIRONMENT, start_new_session=True)
    try:
        child = _child(file)
        parent.send_signal(sent)
        parent.wait(20)
        deadline = time.monotonic() + 5
        while _runs(child) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _runs(child)
    finally:
        parent.kill()
        parent.wait()


def _child(file: Path) -> int:
    """Wait until the child computes, and return its number."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def _runs(number: int) -> bool:
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
