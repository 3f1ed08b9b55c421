"""Parity of a tiny model of every type that has classes in both frameworks: four corners, every pair, every case.

    python -m benchmarks.parity                      # all types, two at a time; goes on where it stopped
    python -m benchmarks.parity --only 'bert*'       # some of them; nothing is written
    python -m benchmarks.parity --jobs 1

A run of all types writes ``benchmarks/results/parity.json`` and ``.html``.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from pathlib import Path
from typing import Any

import joblib

from benchmarks.parity.rows import PAIRS, both_frameworks, compared
from benchmarks.real_weights import cache_folder
from benchmarks.zoo.run import fingerprint
from tfexport.manifest import installed_versions
from tfexport.pages import environment

RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="model types, as a pattern")
    parser.add_argument("--jobs", type=int, default=2, help="types at a time")
    arguments = parser.parse_args()
    wanted = {
        name: feature
        for name, feature in both_frameworks().items()
        if arguments.only is None or any(fnmatch.fnmatch(name, pattern) for pattern in arguments.only)
    }
    journal = cache_folder() / "parity" / fingerprint()
    journal.mkdir(parents=True, exist_ok=True)
    rows = []
    work = joblib.Parallel(arguments.jobs, "threading", return_as="generator_unordered", batch_size=1)
    for row in work(joblib.delayed(compared)(name, feature, journal) for name, feature in wanted.items()):
        rows.append(row)
        print(
            f"{len(rows)}/{len(wanted)} {row['model_type']}: {'agrees' if row['agrees'] else row['problems']}",
            flush=True,
        )
    rows.sort(key=lambda row: str(row["model_type"]))
    if arguments.only is None:
        write(rows)
    sys.exit(0 if all(row["agrees"] or row["known"] for row in rows) else 1)


def write(rows: list[dict[str, Any]]) -> None:
    """The matrix as JSON and as a page."""
    document = {"pairs": list(PAIRS), "rows": rows, "versions": installed_versions()}
    (RESULTS / "parity.json").write_text(json.dumps(document, indent=1) + "\n")
    page = environment(__package__ or "benchmarks.parity").get_template("page.html.j2").render(**document)
    (RESULTS / "parity.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
