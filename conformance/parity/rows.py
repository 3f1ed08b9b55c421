"""One row of the matrix: a tiny model of one type and feature in all its corners."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.features import model_class, supported
from tfexport.errors import ProcessError
from tfexport.parity.api import parity
from tfexport.processes.isolation import call_in_process, call_isolated

KNOWN = {
    **dict.fromkeys(
        ("deberta/sequence-classification", "deberta-v2/sequence-classification", "deberta-v2/multiple-choice"),
        "rows padded on the left begin with padding, which the model reads: transformers' classes treat it differently",
    ),
    "data2vec-vision/semantic-segmentation": "transformers' classes pool the pyramid of the head differently",
    "mobilebert/masked-lm": "transformers' TensorFlow class masks padding with -10000, and this model's scores are above 100000",
    "esm": "transformers' PyTorch class does not pass the mask to its embeddings, so that padding counts there",
    "idefics": "transformers' TensorFlow class creates most weights in its first call, so that it neither saves nor loads them",
    "mistral": "transformers' TensorFlow class has no sliding window",
    "pvt/image-classification": "transformers' PvtConfig does not save the number of labels: it cannot load its own checkpoints",
    "openai-gpt": "transformers' classes compute GELU differently: by erf in TensorFlow, by tanh in PyTorch",
}
"""Types, or rows, whose two classes differ in transformers itself. The first layer that differs shows the cause."""
_UNTIED = (
    "albert/masked-lm",
    "blip/vision2seq-lm",
    "mobilebert/masked-lm",
    "speech-to-text/speech2seq-lm",
    "speech-to-text/speech2seq-lm-with-past",
    "xglm/causal-lm",
    "xglm/causal-lm-with-past",
)
"""Rows whose TensorFlow class keeps two weights where PyTorch ties them. Two random weights are not a model of PyTorch, whose
tied weights both frameworks load."""
_FOLDER = "tfexport-parity-"
_PROBLEMS = 6
_TIMEOUT_S = 600.0
_CORNERS = ("tf", "pt", "onnx-tf", "onnx-pt")
PAIRS = ("tf, pt", "tf, onnx-tf", "tf, onnx-pt", "pt, onnx-tf", "pt, onnx-pt", "onnx-tf, onnx-pt")


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        model_type: Model type, with hyphens.
        feature: Feature of the model.
        framework: Framework whose class creates the tiny model: TensorFlow, if it has a class whose weights fit PyTorch's.
        pairs: Pairs of corners that must be compared: all six, if both frameworks have a class.
    """

    model_type: str
    feature: str
    framework: Framework
    pairs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the row: ``bert/masked-lm``."""
        return f"{self.model_type}/{self.feature}"


def declared() -> list[Row]:
    """Return a row per declared type and feature."""
    found = []
    for entry in supported():
        both = {"tf", "pt"} <= set(entry.classes)
        untied = f"{entry.model_type}/{entry.feature}" in _UNTIED
        framework: Framework = "tf" if "tf" in entry.classes and not untied else "pt"
        found.append(
            Row(entry.model_type, entry.feature, framework, PAIRS if both else (f"{framework}, onnx-{framework}",))
        )
    return found


def compared(row: Row, journal: Path) -> dict[str, Any]:
    """Return the result of one row. If the same code has found before that the row agrees, the journal holds it."""
    kept = journal / f"{row.name.replace('/', '.')}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    begin = time.perf_counter()
    try:
        found = call_isolated(_compare, row, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        found = {"agrees": False, "noise": None, "pairs": {}, "problems": [_without_folder(str(error))], "located": []}
    result = {
        "model_type": row.model_type,
        "feature": row.feature,
        "corners": 4 if row.pairs == PAIRS else 2,
        "known": KNOWN.get(row.name, KNOWN.get(row.model_type)),
        **found,
        "seconds": round(time.perf_counter() - begin, 1),
    }
    if result["agrees"]:
        kept.write_text(json.dumps(result))
    return result


def _without_folder(text: str) -> str:
    return re.sub(rf"\S*{_FOLDER}\w+", "the checkpoint", text)


def _compare(row: Row) -> dict[str, Any]:
    """Compare a tiny checkpoint in all its corners, in this process: one process per corner would take three times as long."""

    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        name = model_class(row.model_type, row.feature, row.framework, ())
        model = tiny_model(row.framework, name, tiny_config(row.model_type, row.feature))
        model.save_pretrained(folder, safe_serialization=False)
        found = _result(row, parity(folder, feature=row.feature, call=call_in_process).as_dict())
        found["problems"] = [_without_folder(problem) for problem in found["problems"]]
        return found


def _result(row: Row, document: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {}
    for pair in document["pairs"]:
        worst = pair["worst"]
        share = None if worst is None or not worst["allowed"] else worst["max_abs_error"] / worst["allowed"]
        pairs[", ".join(sorted((pair["first"], pair["second"]), key=_CORNERS.index))] = {
            "agrees": pair["agrees"],
            "cases": len(pair["cases"]),
            "max_abs_error": None if worst is None else worst["max_abs_error"],
            "share_of_allowed": None if share is None else round(share, 4),
        }
    return {
        "agrees": document["agrees"] and set(pairs) >= set(row.pairs),
        "noise": document["noise"],
        "pairs": pairs,
        "problems": document["problems"][:_PROBLEMS],
        "located": [each["sentence"] for each in document["located"]],
    }
