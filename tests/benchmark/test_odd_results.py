"""Results files of others: an odd value at any place is one error, or a comparison; never a traceback, a hang or a formula."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import figures
from tests.benchmark.documents import SETTING, cell, document, launches, usual
from tfexport.benchmark import results, statistics
from tfexport.benchmark.comparison import compare
from tfexport.benchmark.report import all_measured, render, summary
from tfexport.benchmark.report.csv_text import comma_separated
from tfexport.errors import InputsError, ResultsError, TfExportError

ROOT = Path(figures.__file__).parent
NUMBERS = ("NaN", "Infinity", "-Infinity", "9" * 400, "1e999", "-1", "0", "1e308", "5e-324", "-0.0", "1e15", "1e-9")
VALUES = (
    "null",
    "true",
    '"text"',
    '""',
    "[]",
    "[[]]",
    "{}",
    '{"a": 5}',
    "[null]",
    '"\\u001b]0;owned\\u0007"',
    '"=1+1"',
)


@cache
def _sound() -> dict[str, Any]:
    few = partial(launches, number=1, rounds=5, calls=2)
    return document([cell("ort", SETTING, few(10.0)), cell("tf-xla", SETTING, few(20.0))])


def _small() -> dict[str, Any]:
    return copy.deepcopy(_sound())


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of a document: of a list, its first and last item."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        if not isinstance(value, list) or key in (0, len(value) - 1):
            yield from _places(each, (*path, key))


def _text(path: tuple[Any, ...], value: str) -> str:
    """The document as JSON, with a text in the place of a value."""
    if not path:
        return value
    changed = _small()
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = "HERE"
    return json.dumps(changed).replace('"HERE"', value, 1)


@pytest.mark.parametrize("part", ["created", "name", "ended", "settings", "environment", "targets", "groups"])
def test_an_odd_value_at_any_place(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 10)
    sound = _small()
    for path in _places(sound):
        if path[:1] == (part,):
            original = sound
            for key in path:
                original = original[key]
            for value in (
                (*VALUES, *NUMBERS) if isinstance(original, int | float) else ("null", "5", "[[]]", VALUES[-2])
            ):
                refused = _refusal(_text(path, value), sound, tmp_path / "results.json")
                assert "\n" not in refused
                assert len(refused) < 1000


def _refusal(text: str, sound: dict[str, Any], file: Path) -> str:
    """The error of reading and rendering a document; empty without one."""
    file.write_text(text)
    try:
        read = results.read(file)
        for found in (compare(read, sound), compare(sound, read)):
            json.dumps(found.as_dict(), allow_nan=False)
            found.lines()
        summary(read)
        comma_separated(read)
        all_measured(read)
    except (ResultsError, InputsError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        '{"a":' * 100_000,
        "5",
        "null",
        "[]",
        "{",
        '{"schema_version": 1}',
        '{"schema_version": ' + "9" * 400 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_not_a_results_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ResultsError):
        results.read(tmp_path / "results.json")


def test_what_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo", Path("/dev/zero"), Path("n" * 5000), Path("a\0b")):
        with pytest.raises(ResultsError, match="cannot be read: .* Expected a results file"):
            results.read(path)


@pytest.mark.parametrize("empty", ["launches", "rounds_us", "all rounds", "values", "cold", "memory"])
def test_lists_without_values(empty: str, tmp_path: Path) -> None:
    made = _small()
    (first, _) = made["groups"][0]["cells"]
    if empty == "launches":
        first["launches"] = []
    elif empty == "rounds_us":
        # interrupted in its second launch
        first["launches"].append({**first["launches"][0], "rounds_us": []})
    elif empty == "all rounds":
        for launch in first["launches"]:
            launch["rounds_us"] = []
    elif empty == "values":
        first["launches"][0]["rounds_us"][0] = []
    elif empty == "cold":
        first["cold"]["load_s"].pop()
    else:
        first["memory"]["peak_rss_mib"] = []
    if empty == "rounds_us":
        results.check(made, "it")
        assert compare(made, _small()).lines()
        return
    with pytest.raises(ResultsError, match="not a results file of tfexport benchmark"):
        results.check(made, "it")


@pytest.mark.parametrize("margin", [float("nan"), float("inf"), -0.1, "3", None, True, 10**400])
def test_an_odd_margin(margin: Any) -> None:
    with pytest.raises(InputsError, match="margin is .*; expected a finite number"):
        compare(_small(), _small(), margin)


def test_the_largest_differences_are_finite() -> None:
    """Times at both ends of what is read."""
    fast, slow = _small(), _small()
    for made, value in ((fast, 1e-9), (slow, 1e15)):
        for each in made["groups"][0]["cells"]:
            each["summary"]["median_ms"] = value
            for launch in each["launches"]:
                launch["rounds_us"] = [[value] * 2] * 5
        results.check(made, "it")
    for found in (compare(fast, slow), compare(slow, fast)):
        json.dumps(found.as_dict(), allow_nan=False)
        assert found.lines()


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.json")), ids=lambda file: file.stem)
def test_recorded_results_are_read(file: Path) -> None:
    if '"schema_version": 1' in file.read_text() and '"groups"' in file.read_text():
        results.read(file)


HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "<script>alert(1)</script>", "a|b`c", "\x1b]0;x\x07")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_reports(name: str, tmp_path: Path) -> None:
    made = json.loads(json.dumps(usual()).replace('"minilm', json.dumps(name)[:-1]))
    results.check(made, "it")
    cells = [each for row in csv.reader(io.StringIO(comma_separated(made), newline="")) for each in row]
    assert not [each for each in cells if each.startswith(("=", "+", "-", "@", "\t", "\r"))]
    render(made, markdown=tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text().count("<script>") == 0


def test_a_negative_number_stays_a_number() -> None:
    from tfexport.benchmark.report import csv_text

    class Row:
        key, number = "-text", -1.5

    assert csv_text._value(Row(), "key") == "'-text"  # type: ignore[arg-type]
    assert csv_text._value(Row(), "number") == -1.5  # type: ignore[arg-type]
    assert issubclass(ResultsError, TfExportError)
