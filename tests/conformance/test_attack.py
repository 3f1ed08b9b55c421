"""The quick part of the attack suite: each case is a test. `make attack` runs all cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.attack import documents
from conformance.attack.__main__ import RESULTS
from conformance.attack.case import Case
from conformance.attack.cases import all_cases, areas
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.runner import Zygote, make_seeds, run_case
from conformance.attack.sandbox import Sandbox
from tfexport.text import printable

QUICK = [case for case in all_cases() if case.quick]


@dataclass(frozen=True)
class Harness:
    """What the tests of this module share: one zygote, and the seeds that it made."""

    zygote: Zygote
    seeds: Path

    def run(self, case: Case, folder: Path) -> list[str]:
        outcome = run_case(case, self.zygote, folder / "case", self.seeds)
        if outcome.skipped:
            pytest.skip(outcome.skipped)
        return list(outcome.problems)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    zygote = Zygote()
    try:
        yield Harness(zygote, make_seeds(zygote, tmp_path_factory.mktemp("attack")))
    finally:
        zygote.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", QUICK, ids=lambda case: printable(str(case)))
def test_an_attack(case: Case, harness: Harness, tmp_path: Path) -> None:
    assert harness.run(case, tmp_path) == []


def test_the_recorded_results_hold() -> None:
    recorded = json.loads(RESULTS.read_text())["cases"]
    assert set(map(printable, map(str, all_cases()))) <= set(recorded)
    assert [name for name, result in recorded.items() if result["holds"] is False] == []
    assert re.findall(r"(?<![\w.])/(?:tmp|root|home)/(?!CANARY)", RESULTS.read_text()) == []


def test_every_area_has_quick_cases() -> None:
    assert len(QUICK) > 150
    assert len({case.area for case in QUICK}) == len(areas())


FAULTS: dict[str, tuple[str, str]] = {
    "it says nothing": ("raise SystemExit(2)", "0 lines of errors"),
    "it says two things": ("say('error: a'); say('error: b'); raise SystemExit(2)", "2 lines of errors"),
    "it has another exit code": ("say('error: a'); raise SystemExit(1)", "exit code 1, expected 2"),
    "it is untyped": ("say('error: unexpected KeyError: 1'); raise SystemExit(2)", "untyped"),
    "it raises": ("raise KeyError(1)", "a traceback"),
    "it writes escape sequences": ("say('error: \\x1b[2J'); raise SystemExit(2)", "goes to the terminal"),
    "it tells a secret": ("say('error: ' + SECRET); raise SystemExit(2)", "a secret is printed"),
    "it runs code": ("(folder / (CANARY + '1')).touch(); say('error: a'); raise SystemExit(2)", "code ran"),
    "it changes the target": ("(folder / 'out' / 'x').touch(); say('error: a'); raise SystemExit(2)", "target changed"),
    "it changes its input": ("(folder / 'in' / 'x').touch(); say('error: a'); raise SystemExit(2)", "'in' changed"),
    "it leaves a stage": ("(folder / '.out.tfexport-1').mkdir(); say('error: a'); raise SystemExit(2)", "left .out"),
    "it leaves a temporary file": ("(folder / 'tmp' / 'x').touch(); say('error: a'); raise SystemExit(2)", "in TMPDIR"),
    "it hangs": ("time.sleep(100)", "hangs"),
    "it takes memory": ("x = bytearray(2**30); x[::4096] = x[::4096]; time.sleep(100)", "takes more than"),
    "it dies": ("os.kill(os.getpid(), 9)", "died of signal 9"),
    "it leaves a process": ("os.fork() or time.sleep(100); say('error: a'); raise SystemExit(2)", "processes running"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_harness_sees(fault: str, harness: Harness, tmp_path: Path) -> None:
    """A command that does what none may do is found out."""
    program, expected = FAULTS[fault]
    code = f"""
import os, sys, time
from pathlib import Path
from conformance.attack.sandbox import CANARY, SECRET
folder = Path({str(tmp_path / "case")!r})
def say(text): print(text, file=sys.stderr, flush=True)
{program}
"""
    limits = Limits(seconds=5, memory_mib=500)

    def prepare(sandbox: Sandbox) -> Command:
        return Command((code,), script="run_text", limits=limits)

    problems = harness.run(Case("harness", fault, prepare), tmp_path)
    assert any(expected in problem for problem in problems), problems


def test_a_refusal_holds(harness: Harness, tmp_path: Path) -> None:
    def prepare(sandbox: Sandbox) -> Command:
        return tfexport("export", "-m", sandbox.folder / "nowhere", sandbox.out)

    assert (
        harness.run(Case("harness", "a source that does not exist", prepare, says=("does not exist",)), tmp_path) == []
    )


def test_a_walk_through_a_document() -> None:
    document = {"a": [{"b": 1}, {"b": 2}], "c": None}
    assert list(documents.places(document)) == [(), ("a",), ("a", 0), ("a", 0, "b"), ("c",)]
    assert documents.replaced(document, ("a", 0, "b"), 9) == {"a": [{"b": 9}, {"b": 2}], "c": None}
    assert documents.without(document, ("a", 1)) == {"a": [{"b": 1}], "c": None}
    assert document == {"a": [{"b": 1}, {"b": 2}], "c": None}
    made = dict(documents.odd_documents(document, per_place=3))
    assert len(made) >= 3 * 5
    assert made["c is missing"] == {"a": [{"b": 1}, {"b": 2}]}
