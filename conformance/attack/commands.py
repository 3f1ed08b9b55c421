"""What a case runs, and how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": str(REPOSITORY),
    "OMP_NUM_THREADS": "1",
    "PYTHON": sys.executable,
    "TFEXPORT": f"{sys.executable} -m tfexport",
}
"""Environment variables of every command."""
NOBODY = 65534
"""A user who owns nothing."""


@dataclass(frozen=True)
class Limits:
    """Limits of a command.

    Attributes:
        seconds: Seconds after which it is killed.
        memory_mib: Memory that it and its children may take beside what they share with the zygote, in MiB.
    """

    seconds: float = 90.0
    memory_mib: float = 2560.0


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        arguments: Arguments of ``tfexport``, or of the script.
        script: Module of `conformance.attack.scripts` that runs in place of the command line.
        shell: Script of bash that runs in a new process: ``$TFEXPORT`` starts the command line.
        environment: Environment variables that are set.
        unset: Environment variables that are removed.
        stdin: Text on standard input.
        user: Number of the user who runs it; None for the user of the harness.
        cwd: Working folder; None for that of the sandbox.
        largest_file: Bytes that a file may have (``ulimit -f``); None for no limit.
        most_files: Files that may be open (``ulimit -n``); None for no limit.
        limits: Limits of time and memory.
    """

    arguments: tuple[str, ...] = ()
    script: str | None = None
    shell: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    stdin: str = ""
    user: int | None = None
    cwd: Path | None = None
    largest_file: int | None = None
    most_files: int | None = None
    limits: Limits = Limits()

    def text(self) -> str:
        """Return the command as it would be typed."""
        if self.shell is not None:
            return self.shell
        name = "tfexport" if self.script is None else f"python -m conformance.attack.scripts.{self.script}"
        return " ".join((name, *self.arguments))


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Exit code; None where a signal ended it.
        signal: Number of the signal; 0 for none.
        stopped: Why the harness killed it: ``time`` or ``memory``; empty where it did not.
        seconds: Seconds that it took.
        memory_mib: Largest memory that it took beside what it shared with the zygote, in MiB.
        processes: Processes that it left behind. They are ended.
    """

    code: int | None
    signal: int = 0
    stopped: str = ""
    seconds: float = 0.0
    memory_mib: float = 0.0
    processes: int = 0


def tfexport(*arguments: Any, **more: Any) -> Command:
    """Return a command line of tfexport; a path or a number may be an argument."""
    return Command(tuple(map(str, arguments)), **more)


def importable(folder: Path) -> dict[str, str]:
    """Return the environment in which the modules of a folder can be imported."""
    return {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"}


def script(name: str, *arguments: Any, **more: Any) -> Command:
    """Return a command that runs a module of `conformance.attack.scripts`."""
    return Command(tuple(map(str, arguments)), script=name, **more)
