"""The results as a Markdown table, and a row as a line."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[1] / "results"
RESULTS = _FOLDER / "plain_models.json"
TABLE = _FOLDER / "plain_models.md"
TOOL_NAMES = {"tfexport": "tfexport", "tf2onnx": "stock tf2onnx", "keras": "Keras `export`"}
_NONE = "-"
_HEAD = ("Model", "Tool", "Written", "Loads", "Matches (largest error)", "Names kept", "Axes named, and dynamic where the "
         "model's are", "Recurrent operators", "Loops", "Nodes", "Nodes run", "MiB", "s")  # fmt: skip
_LONGEST = 330


def table(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    versions = results["environment"]["versions"]
    rows = results["rows"]
    processors = results["environment"]["cpus"]["usable"]
    packages = ", ".join(
        f"{name} {versions[name]}" for name in ("tensorflow", "keras", "tf-keras", "tf2onnx", "onnxruntime")
    )
    lines = [
        "# Keras and TensorFlow models, exported by three tools",
        "",
        f"`python -m conformance.plain_models` wrote this file, with {packages}, on {processors} processors.",
        "",
        *counted(rows),
        "",
        "A file *matches* when ONNX Runtime's outputs are within 1e-5 plus 2e-5 of the largest magnitude of the model's, on",
        "three shapes that were not traced. *Nodes run* is the number of nodes that remain after ONNX Runtime has folded",
        "constants and fused operators. *MiB* is the peak memory from the saved model to the file, above the imported packages",
        "and the weights. *s* is the time for the same, on a machine that also did other things. Neither includes tfexport's",
        "own validation, nor the time to make the SavedModel that tf2onnx reads. Keras's `export` makes that one, with its own",
        "output names (`output_0`). The first three models have trained weights; the others have random ones.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{'---|' * len(_HEAD)}",
    ]
    for model, each in groupby(rows, key=lambda row: row["model"]):
        for number, row in enumerate(each):
            lines.append(f"| {' | '.join((model if number == 0 else '', TOOL_NAMES[row['tool']], *cells(row)))} |")
    return "\n".join([*lines, "", "## What went wrong", "", *_problems(rows), ""])


def counted(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return one line per tool: the number of models that it accepts, and of files that are correct."""
    lines = []
    for tool, name in TOOL_NAMES.items():
        mine = [row for row in rows if row["tool"] == tool and row["applies"]]
        right = [row for row in mine if row.get("matches")]
        whole = [row for row in right if not row["names"] and not row["axes"]]
        recurrent = [row for row in mine if row["recurrent_layers"]]
        operators = [
            row for row in recurrent if row.get("recurrent", 0) >= row["recurrent_layers"] and not row["loops"]
        ]
        lines.append(
            f"- {name}: of {len(mine)} models {len(right)} match, {len(whole)} of them with the model's names and named "
            f"axes; of {len(recurrent)} with recurrent layers {len(operators)} have these as operators."
        )
    return lines


def cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row, from the third column."""
    rest = len(_HEAD) - 2
    if not row["applies"]:
        return ["not accepted", *[_NONE] * (rest - 1)]
    if "failed" in row:
        return ["**no**", *[_NONE] * (rest - 1)]
    matches = _NONE
    if row["loads"]:
        error = "does not run" if row["max_error"] is None else f"{row['max_error']:.1e}"
        matches = f"{'yes' if row['matches'] else '**no**'} ({error})"
    return [
        "yes",
        "yes" if row["loads"] else "**no**",
        matches,
        _verdict(row["names"]),
        _verdict(row["axes"]),
        f"{row['recurrent']} of {row['recurrent_layers']}" if row["recurrent_layers"] else _NONE,
        str(row["loops"]),
        str(row["nodes"]),
        str(row.get("nodes_run", _NONE)),
        f"{row['memory_mib']:.0f}",
        f"{row['seconds']:.1f}",
    ]


def _verdict(wrong: list[str]) -> str:
    return "**no**" if wrong else "yes"


def _problems(rows: list[Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        found = [row["failed"]] if "failed" in row else []
        if not row.get("loads", True):
            found.append(f"ONNX Runtime does not load it: {row['load_problem']}")
        found += row.get("problems", [])[:1]
        for what in ("names", "axes"):
            wrong = row.get(what, [])
            found += (
                [f"{what}: {wrong[0]}" + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")] if wrong else []
            )
        found += [f"`{other['way']}`: {other['outcome']}" for other in row.get("other_ways", [])]
        listed = "; ".join(each if len(each) <= _LONGEST else f"{each[:_LONGEST]} …" for each in found)
        if found:
            way = f" (`{row['way']}`)" if row["way"] else ""
            lines.append(f"- {row['model']}, {TOOL_NAMES[row['tool']]}{way}: {listed}")
    return lines


def line(row: Mapping[str, Any]) -> str:
    """Return a row as a line for the screen."""
    failure = f"  {row['failed'][:_LONGEST]}" if "failed" in row else ""
    return f"{row['model']:27} {row['tool']:9} " + "  ".join(cells(row)).replace("**", "") + failure
