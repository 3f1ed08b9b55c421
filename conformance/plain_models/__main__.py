"""Compares tfexport, stock tf2onnx and Keras's own ONNX export on Keras and TensorFlow models.

    python -m conformance.plain_models                         # every model with every tool
    python -m conformance.plain_models --only '*LSTM*' GRU     # some models again; the other results remain
    python -m conformance.plain_models --tools tfexport        # one tool again

One process builds each model and records its outputs, another one runs each tool, and another one judges the file in ONNX
Runtime on three shapes that were not traced. A process that dies is a result. tf2onnx and Keras run as installed. tf2onnx
receives the SavedModel, the SavedModel with opset 18, and the Keras file where one exists; the best outcome counts. The
table is made from conformance/results/plain_models.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from conformance.plain_models.models import MODELS
from conformance.plain_models.report import RESULTS, TABLE, line, table
from conformance.plain_models.tools import LIMIT_GIB, ONNX, TOOLS, attempts, judged, prepare
from conformance.real_weights import cache_folder
from tfexport.benchmark.environment import machine
from tfexport.errors import ProcessError
from tfexport.processes.isolation import call_isolated

_TIMEOUT_S = 900.0
_FACTS = ("weights_mib", "magnitude")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="names of models, with * and ?")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=list(TOOLS))
    parser.add_argument("--table", action="store_true", help="only write the table from the recorded results")
    arguments = parser.parse_args()
    if not arguments.table:
        for index, model in enumerate(MODELS):
            if any(fnmatch(model.name, pattern) for pattern in arguments.only):
                measure(index, arguments.tools)
    TABLE.write_text(table(json.loads(RESULTS.read_text())))


def measure(index: int, tools: Sequence[str]) -> None:
    """Run all tools on one model, and keep each row at once."""
    model = MODELS[index]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            facts = call_isolated(prepare, index, folder, timeout_s=_TIMEOUT_S)
        except ProcessError as error:
            raise SystemExit(f"{model.name} cannot be built: {error}") from error
        for tool in tools:
            row = {"model": model.name, "tool": tool, "recurrent_layers": model.recurrent}
            row |= {fact: round(facts[fact], 3) for fact in _FACTS} | best(index, tool, folder, facts)
            row = json.loads(without_paths(json.dumps(row), name))
            keep(row)
            print(line(row), flush=True)


def without_paths(text: str, folder: str) -> str:
    """Return a text without the paths of this machine."""
    for path in (folder, str(cache_folder()), sys.prefix, str(Path(__file__).resolve().parents[2])):
        text = text.replace(path, "...")
    return text


def best(index: int, tool: str, folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best outcome among the ways to use a tool, with the other outcomes in a few words."""
    tried = [
        {"way": " ".join(way), **attempt(index, tool, folder, way, facts)} for way in attempts(tool, MODELS[index])
    ]
    if not tried:
        return {"applies": False}
    chosen = max(tried, key=merit)
    others = [{"way": each["way"], "outcome": outcome(each)} for each in tried if each is not chosen]
    return {"applies": True, **chosen, "other_ways": others}


def merit(tried: Mapping[str, Any]) -> tuple[int, ...]:
    """Return a key that orders outcomes: by whether the file matches, then by names and axes, then by loops."""
    if "failed" in tried:
        return (0,)
    wrong = len(tried["names"]) + len(tried["axes"])
    return (1, bool(tried["loads"]), bool(tried.get("matches")), -wrong, -tried["loops"])


def outcome(tried: Mapping[str, Any]) -> str:
    """Return the outcome of one way to use a tool, in words."""
    if "failed" in tried:
        return str(tried["failed"])
    if not tried["loads"]:
        return f"does not load: {tried['load_problem']}"
    return "matches" if tried["matches"] else f"does not match: {tried['problems'][0]}"


def attempt(index: int, tool: str, folder: Path, way: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Use a tool in one way in one process, and judge the file in another."""
    if "SAVED_MODEL" in way and facts["saved_model"]:
        return {"failed": f"no SavedModel: {facts['saved_model']}"}
    made = folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        measured: dict[str, Any] = call_isolated(TOOLS[tool], index, folder, made / ONNX, way, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        return {"failed": failure(str(error))}
    if not (made / ONNX).is_file():
        return {"failed": "ended without an error, and without a file"}
    measured["memory_mib"] = round(max(0.0, measured["above_imports_mib"] - facts["weights_mib"]), 1)
    try:
        verdict: dict[str, Any] = call_isolated(judged, index, folder, made / ONNX, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        return measured | {"failed": f"written, and cannot be judged: {error}"}
    return measured | verdict


def failure(text: str) -> str:
    """Return how a tool failed: by an error, or by the death of its process."""
    if text.startswith("its process"):
        return f"crashed: {text}"
    return f"out of memory at {LIMIT_GIB} GiB" if text.startswith("MemoryError") else text


def keep(row: Mapping[str, Any]) -> None:
    """Add a row to the results; it replaces an earlier row of the same model and tool."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    rows = [each for each in rows if (each["model"], each["tool"]) != (row["model"], row["tool"])] + [dict(row)]
    models, tools = [model.name for model in MODELS], list(TOOLS)
    known = [each for each in rows if each["model"] in models]
    known.sort(key=lambda each: (models.index(each["model"]), tools.index(each["tool"])))
    RESULTS.write_text(json.dumps({"environment": machine(), "rows": known}, indent=1) + "\n")


if __name__ == "__main__":
    main()
