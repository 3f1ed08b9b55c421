"""A worker: a function in a child process, whose death is an answer."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests import support
from tests.processes.functions import made, made_after
from tfexport.errors import InputsError, ProcessError
from tfexport.processes.worker import Limits, Worker

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(made, Limits(seconds=60.0)) as child:
        yield child


def test_calls_in_one_other_process(worker: Worker) -> None:
    child = worker("pid")
    assert child != os.getpid()
    assert worker("pid") == child
    assert worker("environment", "CUDA_VISIBLE_DEVICES") == "-1"


def test_errors_of_ours_come_back_by_their_class(worker: Worker) -> None:
    with pytest.raises(InputsError, match="^two axes, expected one$"):
        worker("raise")
    with pytest.raises(ProcessError, match="here lacks 1 weight"):  # its class takes more than a message
        worker("raise with names")
    with pytest.raises(ProcessError, match="^KeyError: 'seven'$"):
        worker("fail")
    assert worker.alive


def test_arrays_larger_than_a_pipe(worker: Worker) -> None:
    assert worker("pid", np.zeros(1_000_000)) > 0


@pytest.mark.parametrize(
    ("action", "message"),
    [(("die",), "killed by SIGABRT"), (("exit", 3), "exit code 3"), (("sleep", 600), "did not answer within 0.5 s")],
)
def test_the_death_of_the_child(action: tuple[Any, ...], message: str) -> None:
    with Worker(made, Limits(seconds=0.5)) as worker:
        worker.wait()
        child = psutil.Process(worker("pid"))
        with pytest.raises(ProcessError, match=message):
            worker(*action)
        assert not worker.alive
        assert not child.is_running()


@LINUX
def test_a_limit_of_memory() -> None:
    with Worker(made, Limits(memory_mib=256)) as worker:
        assert worker("allocate", 128) == 128 * 2**20 // 8
        with pytest.raises(ProcessError, match="MemoryError|killed"):
            worker("allocate", 512)
        assert worker.alive
        assert worker("allocate", 128) > 0


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        ("raise", InputsError, "two axes"),
        ("fail", ProcessError, "KeyError"),
        ("die", ProcessError, "killed by SIGABRT"),
    ],
)
def test_a_function_that_cannot_be_made(action: str, error: type[Exception], message: str) -> None:
    with Worker(partial(made_after, action), Limits()) as worker, pytest.raises(error, match=message):
        worker.wait()


def test_the_child_ends_with_the_block() -> None:
    with Worker(made, Limits()) as worker:
        child = psutil.Process(worker("pid"))
    assert not child.is_running()


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.processes.functions import made
from tfexport.processes.worker import Limits, Worker
print("script", flush=True)
worker = Worker(made, Limits())
print(worker("pid"), flush=True)
"""


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    """``multiprocessing`` would run it again in the child, and export again there; the child ends with its parent."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = support.python(f"import runpy, sys; sys.argv = ['x', {str(support.ROOT)!r}]; runpy.run_path({str(script)!r})")
    assert ran.code == 0, ran.err
    first, child = ran.out.split()
    assert first == "script"
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(child)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(int(child))
