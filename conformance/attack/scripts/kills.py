"""Kills an export at thirty random moments, with an earlier export in place, which must stay whole or be replaced as a whole.

Arguments: the model, the target, a seed of the random moments, and ``mounted`` where the target is a mount point. There,
publishing is several steps: an export that was killed in between is reported by its manifest, which is written last.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from conformance.attack.scripts.reporting import done, is_complete, problem, staged_beside

_ROUNDS = 30
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_LONGEST_S = 60.0


def main(model: str, target: Path, seed: int, mounted: bool) -> None:
    """Kill exports."""
    source = random.Random(seed)
    start = time.monotonic()
    _export(model, target)
    took = time.monotonic() - start
    for number in range(_ROUNDS):
        sent = _SIGNALS[number % len(_SIGNALS)]
        # Half of the moments are in the last quarter, in which it writes, validates and publishes.
        at = took * (source.uniform(0.75, 1.0) if number % 2 else source.uniform(0.02, 1.0))
        code = _export(model, target, at, sent)
        name = f"{sent.name} at {at:.2f} s of {took:.2f} s (exit code {code})"
        if not mounted and not is_complete(target):
            problem(f"{name}: the target is not a complete export")
        if sent != signal.SIGKILL and code not in (0, -sent, 128 + sent, 130, 1):
            problem(f"{name}: another exit code than expected")
    code = _export(model, target)
    if code != 0 or not is_complete(target):
        problem(f"the export afterwards ended with {code}")
    if staged_beside(target):
        problem(f"the export afterwards left {staged_beside(target)}")
    done()


def _export(model: str, target: Path, at: float | None = None, sent: signal.Signals = signal.SIGKILL) -> int:
    child = os.fork()
    if child == 0:
        _run(model, target)
    if at is not None:
        time.sleep(at)
        os.kill(child, sent)  # it is not waited for yet: its number is still its own
    end = time.monotonic() + _LONGEST_S
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    problem(f"does not end within {_LONGEST_S:.0f} s of {sent.name}")
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run(model: str, target: Path) -> None:
    from tfexport.cli import app

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 99
    try:
        app(["export", "-m", model, "--framework", "pt", str(target)], prog_name="tfexport")
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException as error:
        print(f"PROBLEM: {type(error).__name__} leaves the command line", flush=True)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), "mounted" in sys.argv[4:])
