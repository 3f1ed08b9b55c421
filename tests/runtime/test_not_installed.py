"""Without ONNX Runtime: one line that says what to install, before anything is loaded, and no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support

# Of Python's own finder, so that find_spec answers as it does where nothing is installed; in children too.
HIDDEN = """
import importlib.machinery, sys, types
MODE = {mode!r}
class Broken:
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        if MODE == "broken":
            raise ImportError("libonnxruntime.so.1: cannot open shared object file.")
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] != "onnxruntime":
            return super().find_spec(name, path, target)
        return None if MODE == "missing" else importlib.machinery.ModuleSpec(name, Broken())
sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
"""
COMMANDS = """
import json, os, sys, tempfile
from tfexport.cli import app
done = {}
screen = os.dup(1)
for line in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile() as shown:
        os.dup2(shown.fileno(), 1)
        try:
            app(line, prog_name="tfexport")
        except SystemExit as ended:
            sys.stdout.flush()
            done[line[0]] = [ended.code, os.fstat(shown.fileno()).st_size]
        finally:
            os.dup2(screen, 1)
print(json.dumps([done, [name for name in ("tensorflow", "torch") if name in sys.modules]]))
"""
PYTHON = """
import json, sys
import tfexport
from tfexport.benchmark import benchmark
from tfexport.parity.api import parity
from tfexport.parity.exported_directory import validate_export
checkpoint, target = sys.argv[1:]
calls = {
    "export": lambda: tfexport.export_checkpoint(checkpoint, target),
    "parity": lambda: parity(checkpoint),
    "validate": lambda: validate_export(target),
    "benchmark": lambda: benchmark([target]),
}
raised = {}
for name, call in calls.items():
    try:
        call()
    except ImportError as error:
        raised[name] = type(error).__name__
print(json.dumps([raised, [name for name in ("tensorflow", "torch") if name in sys.modules]]))
"""
MESSAGES = {
    "missing": "ONNX Runtime is not installed, and every exported file is validated with it",
    "broken": "ONNX Runtime is installed and cannot be imported: libonnxruntime.so.1: cannot open shared object file. ",
    "empty": "ONNX Runtime is installed and cannot be imported: its package is empty",
}


def _without(folder: Path, mode: str) -> str:
    """A folder that hides ONNX Runtime from each Python process that has it on its path."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDDEN.format(mode=mode))
    return str(folder)


@pytest.mark.parametrize("mode", MESSAGES)
def test_export_says_what_to_install(mode: str, bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = support.tfexport("export", "-m", bert("h5"), tmp_path / "out", PYTHONPATH=_without(tmp_path / "path", mode))
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert line.startswith(f"error: {MESSAGES[mode]}")
    assert "tfexport[cpu]" in line
    assert "tfexport[gpu]" in line
    assert [file.name for file in tmp_path.iterdir()] == ["path"]


def test_so_does_each_command_that_runs_files(bert: Callable[[str], Path], tmp_path: Path) -> None:
    lines = [[command, str(bert("h5"))] for command in ("validate", "parity", "benchmark")]
    ran = support.python(COMMANDS, json.dumps(lines), PYTHONPATH=_without(tmp_path / "path", "missing"))
    assert ran.code == 0, ran.err
    assert json.loads(ran.out.splitlines()[-1]) == [{line[0]: [2, 0] for line in lines}, []]
    assert len(ran.errors) == 3
    assert ran.err.splitlines() == ran.errors
    assert all(MESSAGES["missing"] in line for line in ran.errors)


def test_python_raises_an_error_of_ours_before_it_loads_a_framework(
    bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = support.python(PYTHON, bert("h5"), tmp_path / "out", PYTHONPATH=_without(tmp_path / "path", "missing"))
    assert ran.code == 0, ran.err
    raised, loaded = json.loads(ran.out.splitlines()[-1])
    assert raised == dict.fromkeys(("export", "parity", "validate", "benchmark"), "RuntimeNotInstalledError")
    assert loaded == []


def test_what_runs_no_file_works(tmp_path: Path) -> None:
    lines = [["--help"], ["features", "bert"], ["doctor"]]
    ran = support.python(COMMANDS, json.dumps(lines), PYTHONPATH=_without(tmp_path / "path", "missing"))
    assert ran.code == 0, ran.err
    (done, _) = json.loads(ran.out.splitlines()[-1])
    assert {name: code for name, (code, _) in done.items()} == {"--help": 0, "features": 0, "doctor": 1}
    assert all(printed for _, printed in done.values())
    assert "Traceback" not in ran.err
