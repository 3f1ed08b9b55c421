"""One row of the matrix: a tiny model of a type and feature in all its corners."""

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
from tfexport.declarations.features import supported
from tfexport.errors import ProcessError
from tfexport.parity.api import parity
from tfexport.processes.isolation import call_in_process, call_isolated

KNOWN = {
    **dict.fromkeys(
        ("deberta/sequence-classification", "deberta-v2/sequence-classification", "deberta-v2/multiple-choice"),
        "rows padded on the left begin with padding, which they read: transformers' classes make other things of it",
    ),
    "data2vec-vision/semantic-segmentation": "transformers' classes pool the pyramid of the head differently",
    "mobilebert/masked-lm": "transformers' TensorFlow class hides padding by -10000, and this model's scores are above 100000",
    "esm": "transformers' PyTorch class does not hand the mask to its embeddings: padding counts there",
    "idefics": "transformers' TensorFlow class makes most weights when it is first called: it neither saves nor loads them",
    "mistral": "transformers' TensorFlow class has no sliding window",
    "pvt/image-classification": "transformers' PvtConfig forgets the number of labels: it does not load what it saved itself",
    "openai-gpt": "transformers' classes compute another GELU: erf in TensorFlow, tanh in PyTorch",
}
"""Types, or rows, whose two classes differ in transformers itself, as the first layer that differs shows."""
_UNTIED = (
    "albert/masked-lm",
    "blip/vision2seq-lm",
    "mobilebert/masked-lm",
    "speech-to-text/speech2seq-lm",
    "speech-to-text/speech2seq-lm-with-past",
    "xglm/causal-lm",
    "xglm/causal-lm-with-past",
)
"""Rows whose TensorFlow class keeps two weights where PyTorch ties them: random ones are no model of PyTorch's. PyTorch's are
of both."""
_FOLDER = "tfexport-parity-"
_PROBLEMS = 6
_TIMEOUT_S = 600.0
_CORNERS = ("tf", "pt", "onnx-tf", "onnx-pt")
PAIRS = ("tf, pt", "tf, onnx-tf", "tf, onnx-pt", "pt, onnx-tf", "pt, onnx-pt", "onnx-tf, onnx-pt")


@dataclass(frozen=True)
class Row:
    """What is compared.

    Attributes:
        model_type: with hyphens.
        feature: the feature.
        framework: whose class makes the tiny model: TensorFlow's where there is one, and its weights can be PyTorch's.
        pairs: of corners that must be there: all six where both frameworks have a class.
    """

    model_type: str
    feature: str
    framework: Framework
    pairs: tuple[str, ...]

    @property
    def name(self) -> str:
        """``bert/masked-lm``."""
        return f"{self.model_type}/{self.feature}"


def declared() -> list[Row]:
    """Every type and feature that is declared."""
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
    """What comes of one row; from the journal where this code has found before that it agrees."""
    kept = journal / f"{row.name.replace('/', '.')}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    begin = time.perf_counter()
    try:
        found = call_isolated(_compare, row, timeout_s=_TIMEOUT_S)
    except ProcessError as error:
        found = {"agrees": False, "noise": None, "pairs": {}, "problems": [_without_folder(str(error))], "located": []}
    told = {
        "model_type": row.model_type,
        "feature": row.feature,
        "corners": 4 if row.pairs == PAIRS else 2,
        "known": KNOWN.get(row.name, KNOWN.get(row.model_type)),
        **found,
        "seconds": round(time.perf_counter() - begin, 1),
    }
    if told["agrees"]:
        kept.write_text(json.dumps(told))
    return told


def _without_folder(text: str) -> str:
    return re.sub(rf"\S*{_FOLDER}\w+", "the checkpoint", text)


def _compare(row: Row) -> dict[str, Any]:
    """A tiny checkpoint in all its corners, in this process: one a corner takes thrice as long."""
    from tfexport.declarations.features import model_class

    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        name = model_class(row.model_type, row.feature, row.framework, ())
        model = tiny_model(row.framework, name, tiny_config(row.model_type, row.feature))
        model.save_pretrained(folder, safe_serialization=False)
        found = _found(row, parity(folder, feature=row.feature, call=call_in_process).as_dict())
        found["problems"] = [_without_folder(problem) for problem in found["problems"]]
        return found


def _found(row: Row, document: Mapping[str, Any]) -> dict[str, Any]:
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
