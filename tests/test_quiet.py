"""What the frameworks write stays off the screen, at the file descriptors, and the screen comes back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tfexport.quiet import quiet


def _everything() -> None:
    print("python to stdout")
    print("python to stderr", file=sys.stderr)
    os.write(1, b"native to stdout\n")
    os.write(2, b"native to stderr\n")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)


def test_noise_is_kept_and_only_what_is_written_to_the_screen_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet(verbose=False) as screen:
        _everything()
        screen.out.write("to the user\n")
        screen.out.flush()
        screen.err.write("to the user, too\n")
        screen.err.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        heard = screen.heard()
    assert capfd.readouterr() == ("to the user\n", "to the user, too\n")
    for line in ("python to stdout", "python to stderr", "native to stdout", "native to stderr", "a child"):
        assert heard.count(line) == 1


def test_the_screen_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), quiet(verbose=False):
        _ = 1 / 0
    _everything()
    out, err = capfd.readouterr()
    assert sorted(out.splitlines()) == ["a child", "native to stdout", "python to stdout"]
    assert sorted(err.splitlines()) == ["native to stderr", "python to stderr"]


def test_what_was_printed_before_is_seen_and_what_is_pending_inside_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with quiet(verbose=False):
        print("inside, not flushed")
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"


def test_no_descriptor_is_left_open() -> None:
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()  # noqa: PTH112, PTH208
    for _ in range(3):
        with quiet(verbose=False):
            pass
    after = set(os.listdir("/proc/self/fd")) if before else set()  # noqa: PTH208
    assert len(after) == len(before)


def test_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet(verbose=True) as screen:
        _everything()
        assert screen.heard() == ""
        screen.err.write("to the user\n")
    out, err = capfd.readouterr()
    assert "native to stdout" in out and "native to stderr" in err and "to the user" in err
