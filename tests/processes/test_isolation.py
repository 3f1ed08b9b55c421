"""Work in a process of its own: what comes back, and that nothing else can be taken for success."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from tfexport.errors import InputsError, ProcessError
from tfexport.processes.isolation import call_isolated
from tfexport.processes.locks import PROCESS_LOCK


def _process(value: int) -> tuple[int, int, str | None]:
    return value + 1, os.getpid(), os.environ.get("HF_HUB_OFFLINE")


def _die(with_signal: int) -> None:
    os.kill(os.getpid(), with_signal)


def _leave(code: int) -> None:
    os._exit(code)


def _fail(purpose: bool) -> None:
    raise InputsError("no such axis.") if purpose else ZeroDivisionError("by zero")


def test_what_a_function_returns() -> None:
    value, process, offline = call_isolated(_process, 1)
    assert (value, offline) == (2, "1")
    assert process != os.getpid()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_process_is_named(number: int) -> None:
    with pytest.raises(ProcessError, match=f"its process was killed by {signal.Signals(number).name}"):
        call_isolated(_die, int(number))


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_leaves_without_an_answer_has_failed(code: int) -> None:
    with pytest.raises(ProcessError, match=f"its process died, exit code {code}"):
        call_isolated(_leave, code)


def test_errors_come_back_as_texts() -> None:
    with pytest.raises(ProcessError, match=r"^no such axis\.$"):
        call_isolated(_fail, True)
    with pytest.raises(ProcessError, match="^ZeroDivisionError: by zero$"):
        call_isolated(_fail, False)


def test_one_that_takes_too_long_is_killed() -> None:
    begin = time.monotonic()
    with pytest.raises(ProcessError, match="its process did not answer within 0.5 s"):
        call_isolated(time.sleep, 60, timeout_s=0.5)
    assert time.monotonic() - begin < 30


def _allocate(mib: int) -> int:
    return int(np.ones(mib * 2**20 // 8).sum())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_limit_of_memory() -> None:
    assert call_isolated(_allocate, 64, memory_mib=256) == 64 * 2**17
    with pytest.raises(ProcessError, match=r"it needs more memory than it may take: .*Unable to allocate"):
        call_isolated(_allocate, 512, memory_mib=256)
    with pytest.raises(ProcessError, match="it needs more memory than it may take"):
        call_isolated(_allocate, 2**22)  # 4 TiB, of a machine without a limit of ours


def test_no_child_is_left_when_the_parent_is_interrupted() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(1)
    try:
        with pytest.raises(KeyboardInterrupt):
            call_isolated(time.sleep, 60)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert multiprocessing.active_children() == []


def test_no_lock_is_held_while_a_child_works() -> None:
    waits = threading.Thread(target=call_isolated, args=(time.sleep, 3))
    waits.start()
    time.sleep(1)
    assert waits.is_alive()
    free = PROCESS_LOCK.acquire(timeout=1)
    if free:
        PROCESS_LOCK.release()
    still_waiting = waits.is_alive()
    waits.join()
    assert free
    assert still_waiting
