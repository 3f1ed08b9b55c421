"""``tfexport benchmark``: options, engines, suites, names in reports, and results files to compare."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.commands import Command, Limits, importable, tfexport
from conformance.attack.documents import nested, odd_documents
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("measurements")
_SOON = Limits(seconds=60)
_MEASURED = ("--launches", "1", "--time-limit", "1", "--engines", "ort", "--batch-sizes", "1")
_RESULTS = "results.json"

_OPTIONS: dict[str, tuple[str, ...]] = {
    "--batch-sizes": ("0", "-1", "x", "1.5", "", ",", str(2**70), "1,1", "9" * 5000),
    "--sequence-lengths": ("0", "-1", "x", str(2**62)),
    "--threads": ("0", "-1", "x", "99999999", "all,all", "1e3"),
    "--streams": ("0", "-1", "x", "99999999", str(2**70)),
    "--launches": ("0", "-1", "x", str(10**12), "1.5"),
    "--time-limit": ("0", "-1", "nan", "inf", "x", "1e400", "-inf"),
    "--providers": ("odd", "", ",", "\x1b[2J", "cuda", "p" * 10_000),
    "--boundaries": ("odd", "", "\x1b[2J"),
    "--precisions": ("odd", "", "\x1b[2J", "fp128"),
    "--tokens": ("0", "-1", "x", str(2**70)),
    "--framework": ("odd", "", "\x1b[2J"),
    "--feature": ("odd", "", "\x1b[2J"),
    "--reference": ("nowhere", "", "/dev/zero"),
    "--suite": ("nowhere", "/dev/zero", ".", ""),
    "--keep": ("/dev/null", "/proc/self", "\x1b[2J/../x"),
}
_ENGINES = {
    "a colon": ":",
    "no module": ":Class",
    "no class": "json:",
    "a relative module": ".odd:Class",
    "two dots": "..:Class",
    "a function": "os:system",
    "a module": "os:path",
    "a class that is not an engine": "pathlib:Path",
    "a class in a class": "json:JSONDecoder.decode",
    "a dunder": "json:__class__",
    "a module that raises": "odd_raises:Class",
    "a module that exits": "odd_exits:Class",
    "a module that is not Python": "odd_syntax:Class",
    "an engine that raises": "odd_engine:Raises",
    "an engine that exits": "odd_engine:Exits",
    "an engine that answers nothing": "odd_engine:Nothing",
    "an engine that waits for ever": "odd_engine:Waits",
    "a name of escape sequences": "\x1b[2J",
    "a name of 100 000 letters": "e" * 100_000,
    "an empty name": "",
    "commas": ",,",
}
_MODULES = {
    "odd_raises.py": "raise RuntimeError('odd')\n",
    "odd_exits.py": "import sys\nsys.exit(0)\n",
    "odd_syntax.py": "class (\n",
    "odd_interrupts.py": "raise KeyboardInterrupt\n",
    "odd_engine.py": """
import sys, time
from tfexport.benchmark import Engine
class Raises(Engine):
    name = "raises"
    def __init__(self, *arguments, **more): raise RuntimeError("odd\\x1b[2J")
class Exits(Engine):
    name = "exits"
    def __init__(self, *arguments, **more): sys.exit(0)
class Nothing(Engine):
    name = "nothing"
    def __init__(self, *arguments, **more): pass
    def feed(self, *arguments): return None
    def run(self, *arguments): return None
    def fetch(self, *arguments): return None
class Waits(Engine):
    name = "waits"
    def __init__(self, *arguments, **more): time.sleep(10**6)
""",
}
_SUITE: dict[str, Any] = {
    "name": "suite",
    "engines": ["ort"],
    "providers": ["cpu"],
    "batch_sizes": [1],
    "sequence_lengths": [8],
    "threads": [1],
    "boundaries": ["host"],
    "streams": [1],
    "precisions": ["fp32"],
    "tokens": [1],
    "launches": 1,
    "round_s": 0.1,
    "time_limit_s": 1,
    "targets": [
        {"path": "export-foreign", "name": "foreign", "feature": "default", "framework": "pt", "batch_sizes": [1]},
    ],
}
_SUITE_TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "not TOML": "[",
    "JSON": '{"targets": []}',
    "not UTF-8": b"\xff\xfe",
    "nested deeply": "x = " + nested(),
    "tables nested deeply": "[" + ".".join("a" * 20_000) + "]",
    "a number of 100 000 digits": "launches = " + "9" * 100_000,
    "NaN": "time_limit_s = nan\n[[targets]]\npath = 'export-foreign'",
    "infinity": "round_s = inf\n[[targets]]\npath = 'export-foreign'",
    "a date": "launches = 2026-11-27\n[[targets]]\npath = 'export-foreign'",
    "an unknown option of escape sequences": '"\\u001b[2J" = 1\n[[targets]]\npath = "export-foreign"',
    "1000 targets that do not exist": "[[targets]]\npath = 'nowhere'\n" * 1000,
}
_FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(1)")
_COMPARED_TEXTS: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "{",
    "nested deeply": nested(),
    "a list": "[]",
    "null": "null",
    "not UTF-8": b"\xff\xfe",
    "of a later version": '{"schema_version": 999}',
    "of a version that is a text": '{"schema_version": "\\u001b[2J"}',
    "of a version that is a list": '{"schema_version": [1]}',
}
_VALUES = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "400 digits": 10**400,
    "zero": 0,
    "negative": -1.0,
    "1e308": 1e308,
    "1e-320": 1e-320,
    "true": True,
    "a text": "1",
}
_QUICK = ("a colon", "a module that is not Python", "NaN", "nested deeply", "99999999")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for option, values in _OPTIONS.items():
        for value in values:
            name = value if len(value) < 30 else f"{len(value)} characters"
            yield AREA.case(
                f"{option} is {name!r}",
                _run(option, value),
                expect=Expectation.REPORTED,
                quick=value in ("99999999", "nan", "-1") and option in ("--streams", "--time-limit", "--launches"),
            )
    for name, engine in _ENGINES.items():
        yield AREA.case(f"the engine is {name}", _engine(engine), expect=Expectation.REPORTED, quick=name in _QUICK)
    yield AREA.case(  # it cannot be told from Ctrl-C, which ends a command without a word
        "the engine is a module that interrupts", _engine("odd_interrupts:Class"), expect=Expectation.ENDS
    )
    for name, text in _SUITE_TEXTS.items():
        yield AREA.case(f"the suite is {name}", _suite(text), expect=Expectation.REPORTED, quick=name in _QUICK)
    for name, document in odd_documents(_SUITE, per_place=3):
        if isinstance(document, dict) and None not in _values(document):  # TOML has no null
            yield AREA.case(f"in the suite, {name}", _suite(_toml(document)), expect=Expectation.REPORTED)
    for number, name in enumerate(
        ("\x1b[2J", "<script>", "| a |", *_FORMULAS, "n" * 100_000, "../../x", "caf\udce9", "")
    ):
        yield AREA.case(
            f"a target's name, {number}",
            _reports(name),
            expect=Expectation.REPORTED,
            check=_no_formula,
            quick=name in ("=1+1", "\x1b[2J"),
        )
    yield from _comparisons()


def _run(option: str, value: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        options = [each for each in zip(_MEASURED[::2], _MEASURED[1::2], strict=True) if each[0] != option]
        given = [part for each in options for part in each]
        return tfexport("benchmark", "run", sandbox.seeds / "export-foreign", *given, f"{option}={value}", limits=_SOON)

    return prepare


def _engine(name: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        for file, text in _MODULES.items():
            (sandbox.input / file).write_text(text)
        return tfexport(
            "benchmark",
            "run",
            sandbox.seeds / "export-foreign",
            *_MEASURED[:4],
            f"--engines={name}",
            environment=importable(sandbox.input),
            limits=_SOON,
        )

    return prepare


def _suite(text: str | bytes) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        sandbox.copy("export-foreign")
        file = sandbox.input / "suite.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tfexport("benchmark", "run", "--suite", file, limits=_SOON)

    return prepare


def _values(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [value for each in document.values() for value in _values(each)]
    if isinstance(document, list):
        return [value for each in document for value in _values(each)]
    return [document] if document is None or not isinstance(document, (int, float, str)) else []


def _toml(document: dict[str, Any]) -> str:
    """Return a document as TOML: JSON's texts, numbers and lists are TOML's too."""
    lines = [f"{name} = {_inline(value)}" for name, value in document.items() if name != "targets"]
    targets = document.get("targets", [])
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets):
        return "\n".join([*lines, f"targets = {_inline(targets)}"])
    for target in targets:
        lines += ["[[targets]]", *(f"{name} = {_inline(value)}" for name, value in target.items())]
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_inline(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value).replace("\x7f", "\\u007f")


def _reports(name: str) -> Callable[[Sandbox], Command]:
    """Return a measurement of a target with a name, and every report of it."""

    def prepare(sandbox: Sandbox) -> Command:
        sandbox.copy("export-foreign")
        reports = [f"--{kind}={sandbox.folder / kind}" for kind in ("csv", "markdown", "html", "output")]
        return tfexport(
            "benchmark", "run", f"{name}={sandbox.input / 'export-foreign'}", *_MEASURED, *reports, limits=_SOON
        )

    return prepare


def _no_formula(sandbox: Sandbox) -> list[str]:
    """Return the cells of a table that a spreadsheet would compute, and HTML that is not escaped."""
    found = []
    if (sandbox.folder / "csv").is_file():
        with (sandbox.folder / "csv").open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        found += [f"a cell is a formula: {cell[:20]!r}" for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]
        found += [f"a cell is a formula: {cell[:20]!r}" for cell in cells if cell[:1] == "-" and not _is_number(cell)]
    if (sandbox.folder / "html").is_file() and "<script>" in (sandbox.folder / "html").read_text(
        errors="replace"
    ).lower():
        found.append("a name is HTML")
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _comparisons() -> Iterator[Case]:
    for name, text in _COMPARED_TEXTS.items():
        for side in ("old", "new"):
            yield AREA.case(f"the {side} results are {name}", _compare(side, text), quick=name in _QUICK)
    for name, value in _VALUES.items():
        yield AREA.case(
            f"every call takes {name}", _compare_calls(value), expect=Expectation.REPORTED, quick=name in _QUICK
        )
    for name in ("/dev/zero", "a FIFO", "a folder", "nothing"):
        yield AREA.case(f"the new results are {name}", _compare_with(name))
    for margin in ("nan", "inf", "-1", "x", "1e400"):
        yield AREA.case(
            f"--margin is {margin}", _compare("new", None, f"--margin={margin}"), expect=Expectation.REPORTED
        )


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    sound = json.loads((seeds / _RESULTS).read_text())
    for name, document in odd_documents(sound, per_place=1):
        yield AREA.case(f"in the results, {name}", _compare("new", json.dumps(document)), expect=Expectation.REPORTED)


def _compare_calls(value: Any) -> Callable[[Sandbox], Command]:
    """Return a comparison with results whose calls all take the same odd time."""

    def prepare(sandbox: Sandbox) -> Command:
        old, new = sandbox.copy(_RESULTS, "old.json"), sandbox.copy(_RESULTS, "new.json")
        document = json.loads(new.read_text())
        for launch in (each for cell in document["groups"][0]["cells"] for each in cell.get("launches", [])):
            launch["rounds_us"] = [[value] * 3 for _ in launch["rounds_us"]]
        new.write_text(json.dumps(document))
        return tfexport("benchmark", "compare", old, new, limits=_SOON)

    return prepare


def _compare(side: str, text: str | bytes | None, *options: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        files = {each: sandbox.copy(_RESULTS, f"{each}.json") for each in ("old", "new")}
        if text is not None:
            files[side].write_bytes(text if isinstance(text, bytes) else text.encode())
        return tfexport("benchmark", "compare", files["old"], files["new"], *options, limits=_SOON)

    return prepare


def _compare_with(name: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        old, new = sandbox.copy(_RESULTS), sandbox.input / "new"
        if name == "a FIFO":
            os.mkfifo(new)
        elif name == "a folder":
            new.mkdir()
        return tfexport("benchmark", "compare", old, name if name.startswith("/") else new, limits=_SOON)

    return prepare
