"""What must hold after a command: always, and by the expectation of the case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from conformance.attack.commands import Command, Ended
from conformance.attack.sandbox import CANARY, SECRET, Sandbox, incomplete, snapshot

_TRACEBACK = "Traceback (most recent call last)"
_UNTYPED = "error: unexpected "
_LONGEST_ERROR = 3000
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\udc80-\udcff]")
"""What a terminal acts on, or shows in another order: controls, marks of direction, bytes that are not UTF-8."""
_STAGED = re.compile(r"\.tfexport-")
_PROBLEM = "PROBLEM: "
_DONE = "DONE"
"""What the scripts of `conformance.attack.scripts` print."""


class Expectation(Enum):
    """What a case expects of its command. Each value is its description."""

    REFUSED = "exit code 2 and one error; the target is as it was"
    INVALID = "exit code 1 and one error; the target is as it was"
    REJECTED = "exit code 2 or 1 and one error; the target is as it was"
    EXPORTED = "exit code 0 and a complete export"
    SAFE = "a complete export, or exit code 2 or 1 and one error"
    REPORTED = "exit code 0 or 1 and a report, or exit code 2 and one error; the target is as it was"
    USAGE = "exit code 2; the target is as it was"
    SUCCEEDS = "exit code 0"
    SCRIPT = "a script that comes to its end without a problem"
    ENDS = "an exit code"


@dataclass(frozen=True)
class Before:
    """What lay in a sandbox before its command ran.

    Attributes:
        out: The target.
        kept: The folders that no command may change, by name.
    """

    out: Mapping[str, str]
    kept: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, sandbox: Sandbox) -> Before:
        """Look at a sandbox."""
        kept = (sandbox.input, sandbox.cwd)
        return cls(snapshot(sandbox.out), {folder.name: snapshot(folder) for folder in kept})


def problems_of(
    sandbox: Sandbox, command: Command, ended: Ended, before: Before, expectation: Expectation, says: Iterable[str]
) -> list[str]:
    """Return what does not hold; empty if all holds.

    Args:
        sandbox: The sandbox, after the command.
        command: The command.
        ended: How it ended.
        before: What lay in the sandbox before.
        expectation: What the case expects.
        says: Words that the command must print.
    """
    said = _read(sandbox.stdout) + _read(sandbox.stderr)
    found = [*_resources(command, ended), *_said(said), *_left(sandbox, ended, before), *_kept(sandbox, before)]
    if not ended.stopped and not ended.signal:
        found += _as_expected(sandbox, ended, before, expectation)
        found += [f"does not say {word!r}" for word in says if word not in said]
    return found


def errors(sandbox: Sandbox) -> list[str]:
    """Return the lines of errors that a command wrote."""
    return [line for line in _read(sandbox.stderr).splitlines() if line.startswith("error: ")]


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "surrogateescape") if file.is_file() else ""


def _resources(command: Command, ended: Ended) -> list[str]:
    found = []
    if ended.stopped == "time":
        found.append(f"hangs: killed after {ended.seconds:.0f} s")
    elif ended.stopped == "memory":
        found.append(f"takes more than {command.limits.memory_mib:.0f} MiB: killed")
    elif ended.stopped:
        found.append(ended.stopped)
    elif ended.signal:
        found.append(f"died of signal {ended.signal}")
    elif ended.memory_mib > command.limits.memory_mib:
        found.append(f"took {ended.memory_mib:.0f} MiB")
    if ended.processes:
        found.append(f"left {ended.processes} processes running")
    return found


def _said(said: str) -> list[str]:
    found = []
    if _TRACEBACK in said:
        lines = [line for line in said.splitlines() if line and not line.startswith(" ")]
        found.append(f"a traceback: {lines[-1][:160]!r}")
    if "Exception ignored" in said:
        found.append("Python's 'Exception ignored' is printed")
    if acted_on := _ACTED_ON.search(said):
        found.append(f"{acted_on.group()!r} goes to the terminal")
    if SECRET in said:
        found.append("a secret is printed")
    return found


def _left(sandbox: Sandbox, ended: Ended, before: Before) -> list[str]:
    found = [f"code ran: {file.name} was written" for file in sandbox.folder.rglob(f"{CANARY}*")]
    if snapshot(sandbox.out) != before.out:
        written = [file for file in sandbox.out.rglob("*") if file.is_file()]
        found += [f"a secret is in {file.name}" for file in written if SECRET.encode() in file.read_bytes()]
    found += [f"left {entry.name}" for entry in sandbox.folder.iterdir() if _STAGED.search(entry.name)]
    temporary = [entry.name for entry in sandbox.tmp.iterdir()]
    if temporary and not ended.stopped and not ended.signal:
        found.append(f"left in TMPDIR: {', '.join(sorted(temporary)[:3])}")
    return found


def _kept(sandbox: Sandbox, before: Before) -> list[str]:
    """Return which folders of the user changed, unless the target is in one of them."""
    target = sandbox.out.resolve() if not _is_loop(sandbox.out) else sandbox.out
    found = []
    for name, entries in before.kept.items():
        folder = sandbox.folder / name
        if not target.is_relative_to(folder) and snapshot(folder) != entries:
            found.append(f"the folder {name!r} changed")
    return found


def _is_loop(path: Path) -> bool:
    try:
        path.resolve()
    except (OSError, RuntimeError):
        return True
    return False


def _as_expected(sandbox: Sandbox, ended: Ended, before: Before, expectation: Expectation) -> list[str]:
    refused = {Expectation.REFUSED: (2,), Expectation.INVALID: (1,), Expectation.REJECTED: (1, 2)}
    if expectation in refused:
        return _refused(sandbox, ended, before, refused[expectation])
    if expectation is Expectation.EXPORTED:
        return _exit_code(sandbox, ended, 0) or incomplete(sandbox.out)
    if expectation is Expectation.SAFE:
        return incomplete(sandbox.out) if ended.code == 0 else _refused(sandbox, ended, before, (1, 2))
    if expectation is Expectation.REPORTED:
        return _unchanged(sandbox, before) if ended.code in (0, 1) else _refused(sandbox, ended, before, (2,))
    if expectation is Expectation.USAGE:
        return _exit_code(sandbox, ended, 2) or _unchanged(sandbox, before)
    if expectation is Expectation.SUCCEEDS:
        return _exit_code(sandbox, ended, 0)
    return _of_script(sandbox, ended) if expectation is Expectation.SCRIPT else []


def _refused(sandbox: Sandbox, ended: Ended, before: Before, codes: tuple[int, ...]) -> list[str]:
    reported = errors(sandbox)
    found = [] if ended.code in codes else [f"exit code {ended.code}, expected {codes[0]}"]
    if len(reported) != 1:
        found.append(f"{len(reported)} lines of errors, expected 1")
    found += [f"untyped: {line[7:170]}" for line in reported if line.startswith(_UNTYPED)]
    found += [f"an error of {len(line)} characters" for line in reported if len(line) > _LONGEST_ERROR]
    return found + _unchanged(sandbox, before)


def _exit_code(sandbox: Sandbox, ended: Ended, expected: int) -> list[str]:
    if ended.code == expected:
        return []
    return [f"exit code {ended.code}, expected {expected}: {' '.join(errors(sandbox))[:200]}"]


def _unchanged(sandbox: Sandbox, before: Before) -> list[str]:
    return [] if snapshot(sandbox.out) == before.out else ["the target changed"]


def _of_script(sandbox: Sandbox, ended: Ended) -> list[str]:
    lines = _read(sandbox.stdout).splitlines()
    found = [line.removeprefix(_PROBLEM) for line in lines if line.startswith(_PROBLEM)]
    if _DONE not in lines:
        last = (_read(sandbox.stderr).strip().splitlines() or ["no message"])[-1]
        found.append(f"the script did not come to its end: {last[:200]}")
    return found
