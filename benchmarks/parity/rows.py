"""One row of the matrix: a tiny model of a type in all four corners."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.zoo.models import tiny_model
from benchmarks.zoo.tiny import tiny_config
from tfexport.apart import call_apart, call_here
from tfexport.errors import ProcessError
from tfexport.features import supported
from tfexport.parity.api import parity

KNOWN = {
    "esm": "transformers' PyTorch class does not hand the mask to its embeddings: padding counts there",
    "idefics": "transformers' TensorFlow class makes most weights when it is first called: it neither saves nor loads them",
    "mistral": "transformers' TensorFlow class has no sliding window",
    "openai-gpt": "transformers' classes compute another GELU: erf in TensorFlow, tanh in PyTorch",
}
"""Types whose two classes differ in transformers itself, as the first layer that differs shows."""
_PROBLEMS = 6
_TIMEOUT_S = 600.0
PAIRS = ("tf, pt", "tf, onnx-tf", "tf, onnx-pt", "pt, onnx-tf", "pt, onnx-pt", "onnx-tf, onnx-pt")


def both_frameworks() -> dict[str, str]:
    """Types with classes in both frameworks, each with its first feature that has them."""
    found: dict[str, str] = {}
    for entry in supported():
        if {"tf", "pt"} <= set(entry.classes) and (entry.model_type not in found or entry.feature == "default"):
            found[entry.model_type] = entry.feature
    return found


def compared(model_type: str, feature: str, journal: Path) -> dict[str, Any]:
    """What comes of one type; from the journal where this code has found before that it agrees."""
    kept = journal / f"{model_type}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    begin = time.perf_counter()
    try:
        row = call_apart(_compare, model_type, feature, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        row = {"agrees": False, "noise": None, "pairs": {}, "problems": [str(error)], "located": []}
    row = {
        "model_type": model_type,
        "feature": feature,
        "known": KNOWN.get(model_type),
        **row,
        "seconds": round(time.perf_counter() - begin, 1),
    }
    if row["agrees"]:
        kept.write_text(json.dumps(row))
    return row


def _compare(model_type: str, feature: str) -> dict[str, Any]:
    """A tiny TensorFlow checkpoint of a type, in all four corners, in this process: one a corner takes thrice as long."""
    from tfexport.features import model_class

    with tempfile.TemporaryDirectory(prefix="tfexport-parity-") as folder:
        name = model_class(model_type, feature, "tf", ())
        model = tiny_model("tf", name, tiny_config(model_type, feature))
        model.save_pretrained(folder, safe_serialization=False)
        row = _row(parity(folder, feature=feature, call=call_here).as_dict())
        row["problems"] = [problem.replace(folder, "the checkpoint") for problem in row["problems"]]
        return row


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
        "agrees": document["agrees"] and set(pairs) == set(PAIRS),
        "noise": document["noise"],
        "pairs": pairs,
        "problems": document["problems"][:_PROBLEMS],
        "located": [each["sentence"] for each in document["located"]],
    }
