"""Ends a command while a child of it computes: no process goes on without it, and nothing is left in TMPDIR after SIGTERM.

Arguments: those of the command.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from conformance.attack.scripts.reporting import done, problem

_WAIT_S = 60.0


def main(arguments: list[str]) -> None:
    """End the command by each signal."""
    # SIGKILL first: what it leaves beside the target is swept by the next command.
    for sent in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        child = os.fork()
        if child == 0:
            _run(arguments)
        end = time.monotonic() + _WAIT_S
        while len(_others()) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(child, sent)
        os.waitpid(child, 0)
        _look(sent)
    done()


def _look(sent: signal.Signals) -> None:
    end = time.monotonic() + 3.0
    while _others() and time.monotonic() < end:
        time.sleep(0.05)
    if left := _others():
        problem(f"{sent.name}: {len(left)} processes go on without the command")
    for process in left:
        os.kill(process, signal.SIGKILL)
    folders = [entry.name for entry in Path(os.environ["TMPDIR"]).iterdir()]
    if folders and sent != signal.SIGKILL:
        problem(f"{sent.name}: left {folders[:3]} in TMPDIR")
    for folder in folders:
        shutil.rmtree(Path(os.environ["TMPDIR"]) / folder, ignore_errors=True)


def _run(arguments: list[str]) -> None:
    from tfexport.cli import app

    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 99
    try:
        app(arguments, prog_name="tfexport")
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        code = 98
    os._exit(code)


def _others() -> list[int]:
    """Return the living processes of this session, beside this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == os.getsid(0) and fields[0] != "Z":
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
