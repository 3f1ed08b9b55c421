"""Runs commands in forks of the zygote, or in new processes, and cases with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.attack.case import ROOT, SHARED_PYTHON, Case
from conformance.attack.commands import ENVIRONMENT, REPOSITORY, Command, Ended
from conformance.attack.expectations import Before, errors, problems_of
from conformance.attack.sandbox import Sandbox

_START_S = 20.0
"""Seconds that a new process has for its imports, beside the limit of its command."""
_LARGE = 20 * 2**20


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case.

    Attributes:
        problems: What does not hold; empty if all holds.
        skipped: Why the case was not run; empty if it was.
        error: The line of the error that the command wrote; empty for none.
        ended: How the command ended.
        command: The command as it would be typed.
    """

    problems: tuple[str, ...]
    skipped: str
    error: str
    ended: Ended
    command: str


class Zygote:
    """The client of `conformance.attack.zygote`, which it starts on first use and again where it died.

    Args:
        preloaded: Modules that it imports; all that the command line needs by default.
    """

    def __init__(self, preloaded: Sequence[str] = ()) -> None:
        self._preloaded = preloaded
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def run(self, command: Command, sandbox: Sandbox) -> Ended:
        """Run a command in a fork."""
        if self._process is None:
            self._start()
        try:
            self._channel.write(json.dumps(_request(command, sandbox)) + "\n")
            self._channel.flush()
            return Ended(**json.loads(self._channel.readline()))
        except (OSError, ValueError):
            self.close()
            return Ended(None, stopped="the process of the harness died")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with suppress(OSError):
                self._channel.close()
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="attack-")
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "conformance.attack.zygote", str(theirs.fileno()), *self._preloaded],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ENVIRONMENT, "TMPDIR": self._folder.name},
                cwd=REPOSITORY,
                start_new_session=True,
            )
        with ours:
            self._channel = ours.makefile("rw")
        if not self._channel.readline():
            raise RuntimeError(f"the process of the harness ended with code {self._process.wait()} at its start")


def run_case(case: Case, zygote: Zygote, folder: Path, seeds: Path) -> Outcome:
    """Run a case in a folder, which is removed afterwards where all holds."""
    missing = case.requires - satisfied()
    if missing:
        return Outcome((), f"requires {', '.join(sorted(missing))}", "", Ended(None), "")
    sandbox = Sandbox.make(folder, seeds)
    try:
        command = case.prepare(sandbox)
        if case.has_target and not os.path.lexists(sandbox.out):
            sandbox.earlier_export()
        before = Before.of(sandbox)
        ended = run(command, sandbox, zygote)
        found = problems_of(sandbox, command, ended, before, case.expect, case.says)
        found += case.check(sandbox) if case.check is not None else []
        reported = " | ".join(errors(sandbox))
    finally:
        if case.clean is not None:
            case.clean(sandbox)
    if not found or _size(folder) > _LARGE:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(tuple(found), "", reported, ended, command.text())


def satisfied() -> frozenset[str]:
    """Return the requirements of cases that this machine satisfies."""
    python = Path(sys.executable).resolve()
    shared = all(folder.stat().st_mode & 0o001 for folder in (python, *python.parents))
    return frozenset(({ROOT} if os.geteuid() == 0 else set()) | ({SHARED_PYTHON} if shared else set()))


def run(command: Command, sandbox: Sandbox, zygote: Zygote) -> Ended:
    """Run a command: in a new process where it is a script of bash (as the user of the harness), in a fork otherwise."""
    return zygote.run(command, sandbox) if command.shell is None else _run_shell(command, sandbox)


def _run_shell(command: Command, sandbox: Sandbox) -> Ended:
    assert command.shell is not None
    start = time.monotonic()
    variables = {**os.environ, **ENVIRONMENT, "TMPDIR": str(sandbox.tmp), **command.environment}
    for name in command.unset:
        variables.pop(name, None)
    with sandbox.stdout.open("wb") as out, sandbox.stderr.open("wb") as err:
        process = subprocess.Popen(
            ["bash", "-c", command.shell],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=command.cwd or sandbox.cwd,
            env=variables,
            start_new_session=True,
        )
        try:
            code, stopped = process.wait(command.limits.seconds + _START_S), ""
        except subprocess.TimeoutExpired:
            code, stopped = None, "time"
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    seconds = round(time.monotonic() - start, 2)
    died = code is not None and code < 0
    return Ended(None if died else code, -code if died and code is not None else 0, stopped, seconds)


def _request(command: Command, sandbox: Sandbox) -> dict[str, Any]:
    stdin = Path(os.devnull)
    if command.stdin:
        stdin = sandbox.folder / "stdin"
        stdin.write_text(command.stdin)
    return {
        "arguments": command.arguments,
        "script": command.script,
        "environment": {"TMPDIR": str(sandbox.tmp), **command.environment},
        "unset": command.unset,
        "stdin": str(stdin),
        "stdout": str(sandbox.stdout),
        "stderr": str(sandbox.stderr),
        "user": command.user,
        "cwd": str(command.cwd or sandbox.cwd),
        "largest_file": command.largest_file,
        "most_files": command.most_files,
        "seconds": command.limits.seconds,
        "memory_mib": command.limits.memory_mib,
    }


def _size(folder: Path) -> int:
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*"))


def make_seeds(zygote: Zygote, folder: Path) -> Path:
    """Make the seeds in a folder, and return it.

    Raises:
        RuntimeError: They cannot be made.
    """
    shutil.rmtree(folder / "seeds", ignore_errors=True)
    sandbox = Sandbox.make(folder / "making", folder / "seeds")
    sandbox.seeds.mkdir()
    ended = zygote.run(Command((str(sandbox.seeds),), script="make_seeds"), sandbox)
    if ended.code != 0:
        raise RuntimeError(f"the seeds cannot be made: {sandbox.stderr.read_text()[-2000:]}")
    shutil.rmtree(sandbox.folder)
    return sandbox.seeds
