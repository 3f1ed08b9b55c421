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
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib

from benchmarks.real_weights import cache_folder
from benchmarks.zoo.models import tiny_model
from benchmarks.zoo.run import fingerprint
from benchmarks.zoo.tiny import tiny_config
from tfexport.apart import call_apart
from tfexport.errors import ProcessError, TfExportError
from tfexport.features import supported
from tfexport.manifest import installed_versions
from tfexport.pages import environment
from tfexport.parity.api import parity

RESULTS = Path(__file__).resolve().parents[1] / "results"
_PROBLEMS = 6
_PAIRS = ("tf, pt", "tf, onnx-tf", "tf, onnx-pt", "pt, onnx-tf", "pt, onnx-pt", "onnx-tf, onnx-pt")


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
    work = joblib.Parallel(n_jobs=arguments.jobs, return_as="generator_unordered", batch_size=1)
    for row in work(joblib.delayed(compared)(name, feature, journal) for name, feature in wanted.items()):
        rows.append(row)
        print(
            f"{len(rows)}/{len(wanted)} {row['model_type']}: {'agrees' if row['agrees'] else row['problems']}",
            flush=True,
        )
    rows.sort(key=lambda row: str(row["model_type"]))
    if arguments.only is None:
        write(rows)
    sys.exit(0 if all(row["agrees"] for row in rows) else 1)


def both_frameworks() -> dict[str, str]:
    """Types with classes in both frameworks, each with its first feature that has them."""
    found: dict[str, str] = {}
    for entry in supported():
        if {"tf", "pt"} <= set(entry.classes) and (entry.model_type not in found or entry.feature == "default"):
            found[entry.model_type] = entry.feature
    return found


def compared(model_type: str, feature: str, journal: Path) -> dict[str, Any]:
    """What comes of one type; from the journal where this code has compared it already."""
    kept = journal / f"{model_type}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="tfexport-parity-") as folder:
        try:
            call_apart(_save, model_type, feature, Path(folder))
            row = _row(parity(folder, feature=feature).as_dict())
        except (ProcessError, TfExportError) as error:
            row = {"agrees": False, "noise": None, "pairs": {}, "problems": [str(error)], "located": []}
    row = {"model_type": model_type, "feature": feature, **row, "seconds": round(time.perf_counter() - begin, 1)}
    kept.write_text(json.dumps(row))
    return row


def _save(model_type: str, feature: str, folder: Path) -> None:
    from tfexport.features import model_class

    name = model_class(model_type, feature, "tf", ())
    tiny_model("tf", name, tiny_config(model_type, feature)).save_pretrained(folder, safe_serialization=False)


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {}
    for pair in document["pairs"]:
        worst = pair["worst"]
        share = None if worst is None or not worst["allowed"] else worst["max_abs_error"] / worst["allowed"]
        pairs[f"{pair['first']}, {pair['second']}"] = {
            "agrees": pair["agrees"],
            "cases": len(pair["cases"]),
            "max_abs_error": None if worst is None else worst["max_abs_error"],
            "share_of_allowed": None if share is None else round(share, 4),
        }
    return {
        "agrees": document["agrees"] and set(pairs) == set(_PAIRS),
        "noise": document["noise"],
        "pairs": pairs,
        "problems": document["problems"][:_PROBLEMS],
        "located": [each["sentence"] for each in document["located"]],
    }


def write(rows: list[dict[str, Any]]) -> None:
    """The matrix as JSON and as a page."""
    document = {"pairs": list(_PAIRS), "rows": rows, "versions": installed_versions()}
    (RESULTS / "parity.json").write_text(json.dumps(document, indent=1) + "\n")
    page = environment(__package__ or "benchmarks.parity").get_template("page.html.j2").render(**document)
    (RESULTS / "parity.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
