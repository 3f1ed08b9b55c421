"""Parity of a tiny model of every declared type and feature: all corners, every pair, every case.

    python -m conformance.parity                      # all rows, two at a time; continues where it stopped
    python -m conformance.parity --only 'bert/*'      # only some rows, which replace those in the results
    python -m conformance.parity --jobs 1

It writes ``conformance/results/parity.json`` and ``.html``.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from pathlib import Path
from typing import Any

import joblib

from conformance.parity.rows import PAIRS, compared, declared
from conformance.real_weights import cache_folder
from conformance.zoo.run import fingerprint
from tfexport.pipeline.manifest import installed_versions
from tfexport.reporting.pages import environment

RESULTS = Path(__file__).resolve().parents[1] / "results"
_JSON = RESULTS / "parity.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="type/feature as a pattern; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="rows that run at the same time")
    arguments = parser.parse_args()
    wanted = [
        row
        for row in declared()
        if arguments.only is None or any(fnmatch.fnmatch(row.name, pattern) for pattern in arguments.only)
    ]
    journal = cache_folder() / "parity" / fingerprint()
    journal.mkdir(parents=True, exist_ok=True)
    rows = []
    run = joblib.Parallel(arguments.jobs, "threading", return_as="generator_unordered", batch_size=1)
    for row in run(joblib.delayed(compared)(row, journal) for row in wanted):
        rows.append(row)
        print(
            f"{len(rows)}/{len(wanted)} {row['model_type']}/{row['feature']}: {'agrees' if row['agrees'] else row['problems']}",
            flush=True,
        )
    if arguments.only is not None:
        again = {(row["model_type"], row["feature"]) for row in rows}
        kept = json.loads(_JSON.read_text())["rows"] if _JSON.is_file() else []
        rows += [row for row in kept if (row["model_type"], row["feature"]) not in again]
    rows.sort(key=lambda row: (row["model_type"], row["feature"]))
    write(rows)
    sys.exit(0 if all(row["agrees"] or row["known"] for row in rows) else 1)


def write(rows: list[dict[str, Any]]) -> None:
    """Write the matrix as JSON and as an HTML page."""
    document = {"pairs": list(PAIRS), "rows": rows, "versions": installed_versions()}
    _JSON.write_text(json.dumps(document, indent=1) + "\n")
    page = environment(__package__ or "conformance.parity").get_template("page.html.j2").render(**document)
    (RESULTS / "parity.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
