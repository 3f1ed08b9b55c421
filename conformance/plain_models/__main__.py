"""Which tool makes what of plain Keras and TensorFlow models: tfexport, stock tf2onnx, and Keras's own ONNX export.

    python -m conformance.plain_models                         # every model with every tool
    python -m conformance.plain_models --only '*LSTM*' GRU     # some models anew; the other results stay
    python -m conformance.plain_models --tools tfexport        # one tool anew

A process builds each model and notes its outputs, another one runs each tool, another one judges the file in ONNX Runtime: on
three shapes, none of them traced. What dies is a result. tf2onnx and Keras run as they are installed. tf2onnx is given the
SavedModel, the SavedModel with opset 18, and the Keras file where there is one; the best of these counts. The table is made of
conformance/results/plain_models.json.
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
    parser.add_argument("--table", action="store_true", help="make the table anew of the results there are, and end")
    arguments = parser.parse_args()
    if not arguments.table:
        for index, model in enumerate(MODELS):
            if any(fnmatch(model.name, pattern) for pattern in arguments.only):
                measure(index, arguments.tools)
    TABLE.write_text(table(json.loads(RESULTS.read_text())))


def measure(index: int, tools: Sequence[str]) -> None:
    """All tools on one model, whose rows are kept at once."""
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
    """A text in which the folders of the machine are not told."""
    for path in (folder, str(cache_folder()), sys.prefix, str(Path(__file__).resolve().parents[2])):
        text = text.replace(path, "...")
    return text


def best(index: int, tool: str, folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The best of what the ways to use a tool give; the others in a few words."""
    tried = [
        {"way": " ".join(way), **attempt(index, tool, folder, way, facts)} for way in attempts(tool, MODELS[index])
    ]
    if not tried:
        return {"applies": False}
    chosen = max(tried, key=merit)
    others = [{"way": told["way"], "outcome": outcome(told)} for told in tried if told is not chosen]
    return {"applies": True, **chosen, "other_ways": others}


def merit(told: Mapping[str, Any]) -> tuple[int, ...]:
    """What came of a way, for comparison: first whether it matches, then names and axes, then loops."""
    if "failed" in told:
        return (0,)
    wrong = len(told["names"]) + len(told["axes"])
    return (1, bool(told["loads"]), bool(told.get("matches")), -wrong, -told["loops"])


def outcome(told: Mapping[str, Any]) -> str:
    """What came of a way, in words."""
    if "failed" in told:
        return str(told["failed"])
    if not told["loads"]:
        return f"does not load: {told['load_problem']}"
    return "matches" if told["matches"] else f"does not match: {told['problems'][0]}"


def attempt(index: int, tool: str, folder: Path, way: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """One way to use a tool, in a process, and the verdict, in another."""
    if "SAVED_MODEL" in way and facts["saved_model"]:
        return {"failed": f"no SavedModel: {facts['saved_model']}"}
    made = folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        told: dict[str, Any] = call_isolated(TOOLS[tool], index, folder, made / ONNX, way, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        return {"failed": failure(str(error))}
    if not (made / ONNX).is_file():
        return {"failed": "ended without an error, and without a file"}
    told["memory_mib"] = round(max(0.0, told["above_imports_mib"] - facts["weights_mib"]), 1)
    try:
        verdict: dict[str, Any] = call_isolated(judged, index, folder, made / ONNX, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        return told | {"failed": f"written, and cannot be judged: {error}"}
    return told | verdict


def failure(text: str) -> str:
    """How a tool failed: by an error, or by the death of its process."""
    if text.startswith("its process"):
        return f"crashed: {text}"
    return f"out of memory at {LIMIT_GIB} GiB" if text.startswith("MemoryError") else text


def keep(row: Mapping[str, Any]) -> None:
    """Put a row into the results, in place of an earlier one of the same model and tool."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    rows = [each for each in rows if (each["model"], each["tool"]) != (row["model"], row["tool"])] + [dict(row)]
    models, tools = [model.name for model in MODELS], list(TOOLS)
    known = [each for each in rows if each["model"] in models]
    known.sort(key=lambda each: (models.index(each["model"]), tools.index(each["tool"])))
    RESULTS.write_text(json.dumps({"environment": machine(), "rows": known}, indent=1) + "\n")


if __name__ == "__main__":
    main()
