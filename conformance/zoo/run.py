"""Run the zoo: every row as an independent job, on this machine or on a Dask cluster.

    python -m conformance.zoo.run                               # all rows, on every core; resumes where it stopped
    python -m conformance.zoo.run --only 'bert/*' --only '*/tf' # some rows
    python -m conformance.zoo.run --cluster tcp://HOST:8786     # on a Dask cluster whose workers have this clone

Each finished row is kept at once in a journal, with a fingerprint of the code that made it. A run that was stopped
resumes with the rows that this code has not finished. A run of all rows writes ``conformance/results/zoo.json`` and
``SUPPORT.md``.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from conformance.zoo import report
from conformance.zoo.isolation import Limits, run_isolated
from conformance.zoo.rows import Result, Row, rows
from tfexport.pipeline.manifest import installed_versions

ROOT = Path(__file__).resolve().parents[2]
JOURNAL = ROOT / ".cache" / "zoo.jsonl"
SOURCES = ("tfexport/**/*.py", "conformance/zoo/**/*.py")


@dataclass(frozen=True)
class Journal:
    """The results of rows, one JSON line per row, for one state of the code.

    Attributes:
        path: Path of the file.
        fingerprint: Fingerprint of the code and of the packages that results must come from.
    """

    path: Path
    fingerprint: str

    def results(self) -> dict[str, Result]:
        """Return the results that this code has finished, by the name of the row."""
        if not self.path.is_file():
            return {}
        lines = (_parsed(line) for line in self.path.read_text().splitlines())
        return {
            line["row"]: Result(**line["result"])
            for line in lines
            if line is not None and line["fingerprint"] == self.fingerprint
        }

    def add(self, row: Row, result: Result) -> None:
        """Keep a result."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {"row": row.name, "fingerprint": self.fingerprint, "result": result.as_dict()}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def fingerprint() -> str:
    """Return the SHA-256 of the sources of the exporter and the zoo, and of the versions of their packages."""
    digest = hashlib.sha256(json.dumps(installed_versions(), sort_keys=True).encode())
    for pattern in SOURCES:
        for file in sorted(ROOT.glob(pattern)):
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def run(
    wanted: Sequence[Row], journal: Journal, limits: Limits, *, jobs: int = -1, cluster: str | None = None
) -> dict[str, Result]:
    """Run the rows that the journal lacks.

    Args:
        wanted: The rows.
        journal: The results so far; each row is added when it ends.
        limits: Limits of each row.
        jobs: Number of simultaneous rows on this machine; -1 for one per core.
        cluster: Address of a Dask scheduler; None for this machine.

    Returns:
        The result of every wanted row, by the name of the row.
    """
    done = journal.results()
    left = [row for row in wanted if row.name not in done]
    with _backend(cluster), _progress(len(wanted), len(wanted) - len(left)) as advance:
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
        for row, result in parallel(joblib.delayed(run_isolated)(row, limits) for row in left):
            journal.add(row, result)
            done[row.name] = result
            advance(row, result)
    return {row.name: done[row.name] for row in wanted}


@contextmanager
def _backend(cluster: str | None) -> Iterator[None]:
    if cluster is None:
        with joblib.parallel_config(backend="loky"):
            yield
        return
    from distributed import Client

    with Client(cluster), joblib.parallel_config(backend="dask"):
        yield


@contextmanager
def _progress(total: int, done: int) -> Iterator[Any]:
    """Show a bar on a terminal with the failures above it, and elsewhere one line per row."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console) if console.is_terminal else None
    with bar or nullcontext():
        task = None if bar is None else bar.add_task("zoo", total=total, completed=done)
        count = done

        def advance(row: Row, result: Result) -> None:
            nonlocal count
            count += 1
            line = f"{row.name}: {'passed' if result.passed else result.problem}"
            if bar is None or task is None:
                console.print(f"{count}/{total} {line}", markup=False, highlight=False, soft_wrap=True)
            else:
                bar.update(task, advance=1)
                if not result.passed:
                    console.print(line, markup=False, highlight=False)

        yield advance


def select(patterns: Iterable[str]) -> list[Row]:
    """Return the rows whose names (``bert/masked-lm/tf``) match one of the patterns, or all rows without patterns."""
    chosen = list(patterns)
    return [row for row in rows() if not chosen or any(fnmatch.fnmatch(row.name, pattern) for pattern in chosen)]


def _parsed(line: str) -> Mapping[str, Any] | None:
    try:
        parsed: Mapping[str, Any] = json.loads(line)
    except ValueError:  # the last line of a run that was killed
        return None
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return 1 when a row failed."""
    parser = argparse.ArgumentParser(prog="python -m conformance.zoo.run", description="Run the zoo.")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="rows, as in 'bert/*/tf'")
    parser.add_argument(
        "--jobs", type=int, default=-1, help="simultaneous rows on this machine; one per core by default"
    )
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="time limit of a row")
    parser.add_argument("--memory-mib", type=int, default=Limits.memory_mib, help="memory limit of a row, in MiB")
    parser.add_argument("--fresh", action="store_true", help="discard the results of earlier runs")
    parser.add_argument("--journal", type=Path, default=JOURNAL, help="file in which finished rows are kept")
    options = parser.parse_args(arguments)
    if options.fresh:
        options.journal.unlink(missing_ok=True)
    wanted = select(options.only)
    if not wanted:
        parser.error(f"no row matches {', '.join(options.only)}")
    journal = Journal(options.journal, fingerprint())
    limits = Limits(options.seconds, options.memory_mib)
    results = run(wanted, journal, limits, jobs=options.jobs, cluster=options.cluster)
    if not options.only:
        report.write(wanted, results)
    failed = [row for row in wanted if not results[row.name].passed]
    sys.stdout.write(report.summary(wanted, results) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
