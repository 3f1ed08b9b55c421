"""Runs the cases: see the docstring of `conformance.attack`."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from conformance.attack.case import Case
from conformance.attack.cases import all_cases
from conformance.attack.commands import REPOSITORY, Ended
from conformance.attack.runner import Outcome, Zygote, make_seeds, run_case
from tfexport.pipeline.manifest import installed_versions
from tfexport.text import printable

RESULTS = REPOSITORY / "conformance" / "results" / "attack.json"
_WORK = REPOSITORY / ".cache" / "attack"
_LAST = "last.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return 1 where something does not hold."""
    options = _parser().parse_args(arguments)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    zygote = Zygote()
    seeds = work / "seeds"
    if not (seeds / "results.json").is_file() or not options.keep_seeds:
        seeds = make_seeds(zygote, work)
    known = all_cases(seeds)
    chosen = select(known, options.only, options.quick, _failed(work) if options.failed else None)
    if options.list:
        zygote.close()
        sys.stdout.writelines(f"{case}\n" for case in chosen)
        sys.stdout.write(f"{len(chosen)} cases\n")
        return 0
    start = time.monotonic()
    outcomes = run_all(chosen, zygote, Places(work, seeds), options.jobs)
    bad = [name for name, outcome in outcomes.items() if outcome.problems]
    skipped = [name for name, outcome in outcomes.items() if outcome.skipped]
    (work / _LAST).write_text(json.dumps(bad))
    held = len(outcomes) - len(bad) - len(skipped)
    seconds = time.monotonic() - start
    sys.stdout.write(
        f"{len(outcomes)} cases: {held} hold, {len(bad)} do not, {len(skipped)} skipped; {seconds:.0f} s\n"
    )
    if options.record:
        record(document(outcomes, work), map(str, known))
    return 1 if bad else 0


@dataclass(frozen=True)
class Places:
    """Folders of a run.

    Attributes:
        work: The folder in which the sandboxes are made.
        seeds: The folder of the seeds.
    """

    work: Path
    seeds: Path


def select(cases: Sequence[Case], only: Sequence[str], quick: bool, failed: Sequence[str] | None) -> list[Case]:
    """Return the cases that were asked for.

    Args:
        cases: All cases.
        only: Texts, of which the name of a case holds one; empty for all.
        quick: Whether only cases of the quick part are wanted.
        failed: Names of cases; None for all.
    """
    return [
        case
        for case in cases
        if (not only or any(text in str(case) for text in only))
        and (case.quick or not quick)
        and (failed is None or str(case) in failed)
    ]


def run_all(cases: Sequence[Case], first: Zygote, places: Places, jobs: int) -> dict[str, Outcome]:
    """Run cases, several at the same time, and print a line for each."""
    zygotes: SimpleQueue[Zygote] = SimpleQueue()
    for zygote in (first, *(Zygote() for _ in range(jobs - 1))):
        zygotes.put(zygote)

    def run(number: int) -> Outcome:
        zygote = zygotes.get()
        try:
            outcome = run_case(cases[number], zygote, places.work / f"case{number}", places.seeds)
        except Exception:
            outcome = Outcome((f"the case itself fails: {traceback.format_exc()}",), "", "", Ended(None), "")
        finally:
            zygotes.put(zygote)
        sys.stdout.write(line(cases[number], outcome))
        sys.stdout.flush()
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(run, range(len(cases))))
    for _ in range(jobs):
        zygotes.get().close()
    return {str(case): outcome for case, outcome in zip(cases, outcomes, strict=True)}


def line(case: Case, outcome: Outcome) -> str:
    """Return the line of a case."""
    verdict = "skipped" if outcome.skipped else "BAD" if outcome.problems else "ok"
    told = outcome.skipped or "; ".join(outcome.problems)
    return (
        printable(f"{verdict:4} {str(case)[:100]:100} {outcome.ended.seconds:5.1f} s  {' '.join(told.split())[:600]}")
        + "\n"
    )


def record(found: Mapping[str, Any], known: Iterable[str]) -> None:
    """Write results. Those of an earlier run stay for the cases that exist and were not run now.

    Args:
        found: Results of this run.
        known: Names of all cases.
    """
    earlier = json.loads(RESULTS.read_text())["cases"] if RESULTS.is_file() else {}
    every = {**earlier, **found["cases"]}
    cases = {name: every[name] for name in map(printable, known) if name in every}
    RESULTS.write_text(json.dumps({**found, "cases": cases}, indent=1) + "\n")


def document(outcomes: Mapping[str, Outcome], work: Path) -> dict[str, Any]:
    """Return the results without paths of this machine."""

    def clean(text: str) -> str:
        for folder in (str(work), str(REPOSITORY), sys.prefix):
            text = text.replace(folder, "...")
        return text

    return {
        "versions": installed_versions(),
        "cases": {
            printable(name): {
                "holds": None if outcome.skipped else not outcome.problems,
                "seconds": outcome.ended.seconds,
                "exit_code": outcome.ended.code,
                "error": clean(printable(outcome.error))[:300],
                **({"problems": [clean(each) for each in outcome.problems]} if outcome.problems else {}),
                **({"skipped": outcome.skipped} if outcome.skipped else {}),
            }
            for name, outcome in outcomes.items()
        },
    }


def _failed(work: Path) -> list[str]:
    names: list[str] = json.loads((work / _LAST).read_text()) if (work / _LAST).is_file() else []
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance.attack", description="Hostile inputs and faults.")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="TEXT", help="cases whose name holds one of these texts"
    )
    parser.add_argument("--quick", action="store_true", help="cases of the quick part")
    parser.add_argument("--failed", action="store_true", help="cases that failed in the last run")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    parser.add_argument(
        "--work", type=Path, default=_WORK, help="folder of the sandboxes; those of failed cases remain"
    )
    parser.add_argument("--keep-seeds", action="store_true", help="use the seeds of an earlier run in the same folder")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.relative_to(REPOSITORY)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
