"""What the frameworks write stays off the screen, at the file descriptors, and the screen comes back.

In processes of their own: pytest's capture has streams that are not the descriptors'.
"""

from __future__ import annotations

from tests import support

NOISE = """
import os, subprocess, sys
from tfexport.processes.streams import quiet

def everything():
    print("python out")
    print("python err", file=sys.stderr)
    os.write(1, b"native out\\n")
    os.write(2, b"native err\\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", "print('child out')"], check=True)
"""


def test_only_what_is_written_to_the_screen_is_seen() -> None:
    ran = support.python(
        NOISE
        + """
with quiet(verbose=False) as screen:
    everything()
    screen.out.write("to the user\\n")
    screen.err.write("to the user, too\\n")
    screen.out.flush()
    screen.err.flush()
    sys.stdout.flush()
    captured = screen.captured().splitlines()
assert sorted(captured) == ["child out", "native err", "native out", "python err", "python out"], captured
"""
    )
    assert ran == support.Ran(0, "to the user\n", "to the user, too\n")


def test_the_screen_comes_back_also_after_an_error() -> None:
    ran = support.python(
        NOISE
        + """
print("before")
try:
    with quiet(verbose=False):
        print("pending when the block ends")
        everything()
        raise ZeroDivisionError
except ZeroDivisionError:
    everything()
"""
    )
    assert ran.code == 0
    assert sorted(ran.out.splitlines()) == ["before", "child out", "native out", "python out"]
    assert sorted(ran.err.splitlines()) == ["native err", "python err"]


def test_no_descriptor_is_left_open() -> None:
    ran = support.python(
        NOISE
        + """
def opened():
    return [number for number in range(256) if not _closed(number)]
def _closed(number):
    try:
        os.fstat(number)
    except OSError:
        return True
before = opened()
for _ in range(3):
    with quiet(verbose=False):
        pass
assert opened() == before
"""
    )
    assert ran == support.Ran(0, "", "")


def test_verbose() -> None:
    ran = support.python(
        NOISE
        + """
with quiet(verbose=True) as screen:
    everything()
    assert screen.captured() == ""
    screen.err.write("to the user\\n")
"""
    )
    assert ran.code == 0
    assert "native out" in ran.out
    assert "child out" in ran.out
    assert {"native err", "python err", "to the user"} == set(ran.err.splitlines())


def test_two_threads_leave_the_screen_to_the_user() -> None:
    ran = support.python(
        NOISE
        + """
import threading
def work(number):
    for _ in range(50):
        with quiet(verbose=False) as screen:
            os.write(1, b"noise\\n")
            screen.out.write(f"{number}\\n")
            screen.out.flush()
threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.write(1, b"the end\\n")
"""
    )
    assert ran.code == 0, ran.err
    assert sorted(ran.out.splitlines()) == ["1"] * 50 + ["2"] * 50 + ["the end"]


def test_other_threads_take_the_lock_within_a_block_that_is_not_exclusive() -> None:
    ran = support.python(
        NOISE
        + """
from concurrent.futures import ThreadPoolExecutor
from tfexport.processes.locks import PROCESS_LOCK
def taken():
    free = PROCESS_LOCK.acquire(timeout=1)
    if free:
        PROCESS_LOCK.release()
    return free
with ThreadPoolExecutor(1) as threads:
    for exclusive in (True, False):
        with quiet(verbose=False, exclusive=exclusive) as screen:
            everything()
            screen.out.write(f"{threads.submit(taken).result()}\\n")
"""
    )
    assert ran == support.Ran(0, "False\nTrue\n", "")
