"""Files of reports: what ``--output``, ``--html``, ``--csv`` and ``--markdown`` name, and what is there already."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.attack.case import ROOT, Area, Case
from conformance.attack.commands import NOBODY, Command, Limits, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("reports")
_SOON = Limits(seconds=60)
_OLD = "an earlier report"

_COMMANDS: dict[str, tuple[str, ...]] = {
    "validate --output": ("validate", "export-foreign", "--output"),
    "validate --html": ("validate", "export-foreign", "--html"),
    "parity --output": ("parity", "family-vit", "--output"),
    "benchmark --output": ("benchmark", "run", "export-foreign", "--output"),
    "benchmark --html": ("benchmark", "run", "export-foreign", "--html"),
    "benchmark --csv": ("benchmark", "run", "export-foreign", "--csv"),
    "benchmark --markdown": ("benchmark", "run", "export-foreign", "--markdown"),
}
_FAILING: dict[str, tuple[str, ...]] = {
    "validate --output": ("validate", "bert-pt", "--output"),
    "parity --html": ("parity", "export-foreign", "--html"),
    "benchmark --output": ("benchmark", "run", "nowhere", "--output"),
    "benchmark --csv": ("benchmark", "run", "nowhere", "--csv"),
}
_QUICK_MEASURE = ("--launches", "1", "--time-limit", "1", "--engines", "ort", "--batch-sizes", "1", "--axis", "batch=2")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, command in _COMMANDS.items():
        if name.startswith("parity"):
            continue  # its reports are written by the functions that write those of validate
        for kind, make in _KINDS.items():
            yield AREA.case(
                f"{name}, {kind}",
                _written(command, make),
                expect=Expectation.REPORTED,
                check=_unharmed(kind),
                quick=name in ("validate --output", "benchmark --csv") and kind in _KINDS_QUICK,
                has_target=False,
            )
    for name, command in _FAILING.items():
        for kind in ("a file of the user", "an empty file", "nothing"):
            yield AREA.case(
                f"{name} of a command that fails, {kind}",
                _written(command, _KINDS[kind]),
                check=_unharmed(kind, fails=True),
                quick=kind == "an empty file",
                has_target=False,
            )
    for name in ("validate --output", "benchmark --output"):
        for bad, (path, root) in _BAD.items():
            yield AREA.case(
                f"{name}, {bad}",
                _bad(_COMMANDS[name], path, NOBODY if root else None),
                requires=frozenset({ROOT} if root else ()),
                has_target=False,
            )


def _command(sandbox: Sandbox, command: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command whose seed has its path."""
    paths = [str(sandbox.seeds / part) if (sandbox.seeds / part).exists() else part for part in command]
    measured = _QUICK_MEASURE if "benchmark" in command and "nowhere" not in command else ()
    return (*paths[:-1], *measured, paths[-1])


def _written(command: tuple[str, ...], make: Callable[[Sandbox], Path]) -> Callable[[Sandbox], Command]:
    return lambda sandbox: tfexport(*_command(sandbox, command), make(sandbox), limits=_SOON)


def _report(sandbox: Sandbox, text: str | None, mode: int = 0o600) -> Path:
    file = sandbox.folder / "report"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    return file


def _device(sandbox: Sandbox) -> Path:
    """Make a device of the sandbox where the user may, so that the machine's own is not in danger."""
    file = sandbox.folder / "report"
    if os.geteuid() != 0:
        return Path(os.devnull)
    os.mknod(file, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    return file


def _fifo(sandbox: Sandbox) -> Path:
    """Make a FIFO that somebody reads: this process, which keeps it open."""
    file = sandbox.folder / "report"
    os.mkfifo(file)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    _READERS.append(descriptor)
    return file


_READERS: list[int] = []


def _link(sandbox: Sandbox) -> Path:
    (sandbox.folder / "elsewhere").write_text(_OLD)
    (sandbox.folder / "report").symlink_to("elsewhere")
    return sandbox.folder / "report"


def _unread(sandbox: Sandbox) -> Path:
    os.mkfifo(sandbox.folder / "report")
    return sandbox.folder / "report"


_KINDS: dict[str, Callable[[Sandbox], Path]] = {
    "nothing": lambda sandbox: _report(sandbox, None),
    "a file of the user": lambda sandbox: _report(sandbox, _OLD),
    "an empty file": lambda sandbox: _report(sandbox, ""),
    "a device": _device,
    "a FIFO that is read": _fifo,
    "a FIFO that nobody reads": _unread,
    "a link to a file": _link,
    "/dev/stdout": lambda sandbox: Path("/dev/stdout"),
    "/dev/stderr": lambda sandbox: Path("/dev/stderr"),
    "/dev/fd/2": lambda sandbox: Path("/dev/fd/2"),
    "a name of 250 letters": lambda sandbox: sandbox.folder / ("r" * 250),
    "a folder that does not exist": lambda sandbox: sandbox.folder / "reports" / "of" / "today" / "report",
}
_KINDS_QUICK = ("an empty file", "a device", "a FIFO that nobody reads")


def _unharmed(kind: str, fails: bool = False) -> Callable[[Sandbox], list[str]]:
    """Return a check of what was named: devices, FIFOs and links stay what they are, files keep their mode."""

    def check(sandbox: Sandbox) -> list[str]:
        while _READERS:
            os.close(_READERS.pop())
        file = sandbox.folder / "report"
        left = [f"left {entry.name}" for entry in sandbox.folder.iterdir() if entry.name.endswith(".partial")]
        if kind in ("a file of the user", "an empty file"):
            if not file.is_file():
                return [*left, "the file of the user is gone"]
            if stat.S_IMODE(file.stat().st_mode) != 0o600:
                left.append("the file of the user has another mode")
            if fails and file.read_text() != (_OLD if kind == "a file of the user" else ""):
                left.append("the file of the user changed")
        if kind == "nothing" and fails and file.exists():
            left.append("a report of a command that failed")
        if kind.startswith("a FIFO") and not file.is_fifo():
            left.append("the FIFO is gone")
        if kind == "a device" and os.geteuid() == 0 and not file.is_char_device():
            left.append("the device is gone")
        if kind == "a link to a file" and not file.is_symlink():
            left.append("the link is gone")
        return left

    return check


_BAD: dict[str, tuple[Callable[[Sandbox], object], bool]] = {
    "a folder": (lambda sandbox: sandbox.cwd, False),
    "a path below a file": (lambda sandbox: sandbox.secret() / "report", False),
    "a link to itself": (lambda sandbox: _loop(sandbox), False),
    "a name of 300 letters": (lambda sandbox: sandbox.folder / ("r" * 300), False),
    "/proc/self/report": (lambda sandbox: "/proc/self/report", False),
    "/dev/full": (lambda sandbox: "/dev/full", False),
    "a folder in which the user may not write": (lambda sandbox: sandbox.folder / "report", True),
    "a file that the user may not write": (lambda sandbox: _report(sandbox, _OLD), True),
}


def _loop(sandbox: Sandbox) -> Path:
    (sandbox.folder / "report").symlink_to("report")
    return sandbox.folder / "report"


def _bad(command: tuple[str, ...], path: Callable[[Sandbox], object], user: int | None) -> Callable[[Sandbox], Command]:
    return lambda sandbox: tfexport(
        *_command(sandbox, command),
        path(sandbox),
        user=user,
        environment={"HOME": "/nonexistent"} if user else {},
        limits=_SOON,
    )
