"""What commands print: one place, safe on a terminal, and right whatever the streams are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support
from tests.support import Ran
from tfexport.cli import terminal as terminals
from tfexport.cli.terminal import BAD_INPUT, screen
from tfexport.errors import InputsError

Cli = Callable[..., Ran]
CLI = Path(terminals.__file__).parent
HOSTILE = "\x1b]0;title\x07\x1b[2J\u202e\udce9\nerror: forged"


def test_no_other_module_prints() -> None:
    printing = re.compile(r"\bprint\(|echo\(|sys\.std|sys\.__std|\brich\b|os\.write\(|Console")
    found = [
        f"{file.name}: {line.strip()}"
        for file in CLI.glob("*.py")
        if file.name != "terminal.py"
        for line in file.read_text().splitlines()
        if printing.search(line)
    ]
    assert found == []


def _print(kind: str, text: str) -> None:
    with screen(False, False) as terminal, terminal.progress(False) as announce:
        if kind == "lines":
            terminal.lines([text])
        elif kind == "table":
            terminal.table(text, ["a", "b"], [(text, 1)])
        elif kind == "progress":
            announce(text)
        elif kind == "share":
            with terminal.share(False) as share:
                share(0.5, text)
        elif kind == "error":
            raise InputsError(text)
        elif kind == "fault":
            raise LookupError(text)
        elif kind == "json":
            terminal.json({text: text})


KINDS = ("lines", "table", "progress", "share", "error", "fault", "json")


@pytest.mark.parametrize("kind", KINDS)
def test_control_characters_are_escaped(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = _code(lambda: _print(kind, HOSTILE))
    out, err = capfd.readouterr()
    assert code == (BAD_INPUT if kind in ("error", "fault") else 0)
    assert [character for character in out + err if not character.isprintable() and character != "\n"] == []
    assert r"\x1b" in out + err or "\\u001b" in out
    forged = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(forged) == (1 if kind in ("error", "fault") else 0)
    if kind == "json":
        assert out.isascii()
        assert json.loads(out) == {HOSTILE: HOSTILE}


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_long_name_is_shortened(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    _code(lambda: _print(kind, "a" * 100_000))
    out, err = capfd.readouterr()
    assert "more characters" in out + err
    assert max(map(len, (out + err).splitlines())) < 11_000


def test_the_traceback_is_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with screen(False, True):
            os.write(2, b"\x1b[2Jnoise\xff\n")
            raise LookupError(HOSTILE)

    assert _code(fail) == BAD_INPUT
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert r"\x1b[2Jnoise" in err
    assert "\x1b" not in err


def _code(function: Callable[[], None]) -> int:
    import typer

    try:
        function()
    except typer.Exit as done:
        return int(done.exit_code)
    return 0


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device", "/tmp/x"), "No space left on device (/tmp/x). Free space"),
        (OSError(24, "Too many open files"), "Raise the limit on open files (ulimit -n)"),
        (OSError(30, "Read-only file system", b"/caf\xe9"), r"(/caf\xe9). Set TMPDIR"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "Set TMPDIR"),
        (MemoryError("8 GiB"), "not enough memory: 8 GiB"),
    ],
)
def test_faults_of_the_machine_are_not_ours(error: Exception, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with screen(False, False):
            raise error

    assert _code(fail) == BAD_INPUT
    (line,) = capfd.readouterr().err.splitlines()
    assert says in line
    assert "unexpected" not in line


def test_wrong_arguments_are_escaped(cli: Cli) -> None:
    for arguments in (["export", f"--{HOSTILE}"], [HOSTILE], ["export", "-m", "x", "--opset", HOSTILE, "out"]):
        ran = cli(*arguments)
        assert ran.code == 2
        assert "\x1b" not in ran.err
        assert "\x07" not in ran.err


# In processes of their own -------------------------------------------------------------------------------------------

NONE = ""


def _shell(command: str, **environment: str) -> Ran:
    program = f"{sys.executable} -m tfexport"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}".replace("tfexport", program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=support.ROOT,
        timeout=support.CHILD_SECONDS,
        env={**os.environ, **environment},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("tfexport features bert >&-", 0, NONE),
        ("tfexport features bert 2>&-", 0, NONE),
        ("tfexport features bert <&- >&- 2>&-", 0, NONE),
        ("tfexport features nonsense >&- 2>&-", 2, NONE),
        ("tfexport features nonsense 2>/dev/full", 2, NONE),
        (
            "tfexport features bert >/dev/full",
            2,
            "error: standard output cannot be written to: No space left on device",
        ),
        ("tfexport features --json bert >/dev/full", 2, "error: standard output cannot be written to: No space left"),
        ("tfexport features bert >/dev/full 2>&1", 2, NONE),
        ("tfexport --version >/dev/full", 2, "error: standard output cannot be written to"),
        ("tfexport --help >/dev/full", 2, "error: standard output cannot be written to"),
        ("tfexport features | true", 0, NONE),
        ("tfexport features | head -1 >/dev/null", 0, NONE),
        ("tfexport --help >&-", 0, NONE),
    ],
)
def test_streams(command: str, code: int, says: str) -> None:
    ran = _shell(command)
    assert ran.code == code, ran.err
    assert len(ran.err.splitlines()) == (1 if says else 0), ran.err
    assert ran.err.startswith(says)


SLEEPS = """
import subprocess, sys, tempfile, time
from pathlib import Path
from tfexport import cli
def wait(*_):
    Path(tempfile.gettempdir(), "of a framework").write_text("x")
    child = "import tempfile, pathlib; pathlib.Path(tempfile.gettempdir(), 'of a child').write_text('x')"
    subprocess.run([sys.executable, "-c", child], check=True)
    print(sorted(path.name for path in Path(tempfile.gettempdir()).iterdir()), file=sys.__stderr__)
    Path(sys.argv[1]).touch()
    time.sleep(float(sys.argv[2]))
    return []
import tfexport.declarations.features as features
features.supported = wait
cli.app(["features"], prog_name="tfexport")
"""


def _sleeping(tmp_path: Path, seconds: str) -> tuple[subprocess.Popen[str], Path]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-c", SLEEPS, str(tmp_path / "ready"), seconds]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, cwd=support.ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
    deadline = time.monotonic() + support.CHILD_SECONDS
    while not (tmp_path / "ready").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return child, tmp_path / "tmp"


@pytest.mark.parametrize("sent", [None, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_in_the_temporary_folder(sent: signal.Signals | None, tmp_path: Path) -> None:
    child, temporary = _sleeping(tmp_path, "60" if sent else "0")
    assert len(list(temporary.iterdir())) == 1 or sent is None
    if sent:
        child.send_signal(sent)
    _, err = child.communicate(timeout=support.CHILD_SECONDS)
    assert child.returncode == (128 + sent if sent else 0), err
    assert "Traceback" not in err
    assert list(temporary.iterdir()) == []


def test_what_a_killed_command_left_is_swept(tmp_path: Path) -> None:
    child, temporary = _sleeping(tmp_path, "60")
    child.kill()
    child.communicate()
    (tmp_path / "ready").unlink()
    (temporary / "tfexport-thesis").mkdir()
    (temporary / "tfexport-4194303-deadbeef").mkdir()
    assert len(list(temporary.iterdir())) == 3
    child, _ = _sleeping(tmp_path, "0")
    child.communicate()
    assert sorted(path.name for path in temporary.iterdir()) == ["tfexport-4194303-deadbeef", "tfexport-thesis"]


SWALLOWS = """
import os, signal, sys
from tfexport.cli.terminal import screen
from tfexport.processes.command import command_process
class Careless:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        for _ in range(10**6): pass
with command_process(), screen(False, False) as terminal, terminal.progress(True) as announce:
    Careless()  # Python ignores what a destructor raises
    terminal.lines(["the first one is lost"])
    announce("convert")
    terminal.lines(["never"])
"""


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", -signal.SIGINT), ("SIGTERM", 143)])
def test_a_signal_that_a_destructor_swallows_ends_the_command_at_the_next_stage(sent: str, code: int) -> None:
    ran = support.python(SWALLOWS, sent)
    assert ran.code == code
    assert ran.out == "the first one is lost\n"


def _settings() -> tuple[object, ...]:
    return tempfile.gettempdir(), os.environ.get("TMPDIR"), *map(signal.getsignal, (signal.SIGTERM, signal.SIGINT))


def test_the_settings_of_the_process_are_as_before(cli: Cli) -> None:
    before = _settings()
    assert cli("features", "bert").code == 0
    assert _settings() == before


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "{}/link"])
def test_a_report_on_standard_output(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = (
        "import sys; from pathlib import Path; from tfexport.cli.terminal import screen; "
        "from tfexport.files.writing import check_writable, write_text\n"
        "with screen(False, False) as terminal:\n"
        "    check_writable([Path(sys.argv[1])]); write_text(Path(sys.argv[1]), 'report\\n', what='it'); terminal.lines(['end'])"
    )
    assert support.python(code, name.format(tmp_path)) == Ran(0, "report\nend\n", "")


def test_a_report_on_standard_output_keeps_what_is_there(tmp_path: Path) -> None:
    """A file that is opened anew by its name would be written from its beginning, or replaced."""
    file = tmp_path / "file"
    file.write_text("earlier\n")
    with file.open("a") as stream:
        code = (
            "from pathlib import Path; from tfexport.files.writing import write_text; "
            "write_text(Path('/dev/stdout'), 'report', what='it')"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=support.ROOT, stdout=stream)
    assert file.read_text() == "earlier\nreport"


INTERRUPTED = """
import os, signal, time
from tfexport.cli.terminal import screen
from tfexport.processes.command import command_process

with command_process():
    try:
        with screen(verbose=False, debug=False):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(30)
            except KeyboardInterrupt:
                raise RuntimeError("a callback failed") from None
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_interruption_that_native_code_turned_into_an_error_ends_the_command() -> None:
    assert support.python(INTERRUPTED) == support.Ran(0, "interrupted\n", "")
