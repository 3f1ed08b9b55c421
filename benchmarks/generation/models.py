"""The models that write: random weights of the shape of published ones, the same for every engine.

Weights are wide enough that the likeliest token leads clearly, and that a text is not one token over and over: engines
that compute something else write something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import shapes
from benchmarks.shapes import Shape

_FIRST_WORD = 100
"""Ids below may be special ones."""


@dataclass(frozen=True)
class Writer:
    """A model that writes.

    Attributes:
        shape: what it is made of.
        feature: without past.
    """

    shape: Shape
    feature: str

    @property
    def encodes(self) -> bool:
        """Whether it is an encoder-decoder."""
        return self.feature == "seq2seq-lm"


_FEATURES = {"gpt2": "causal-lm", "t5-small": "seq2seq-lm", "gpt2-tiny": "causal-lm", "t5-tiny": "seq2seq-lm"}
SHAPES = {name: Writer(shapes.SHAPES[name], feature) for name, feature in _FEATURES.items()}
"""By the name of the published checkpoint of this shape; the tiny ones are for trying the benchmark itself."""
DEFAULT = ("gpt2", "t5-small")


@dataclass(frozen=True)
class Prepared:
    """What engines load.

    Attributes:
        folder: where it all lies.
    """

    folder: Path

    @property
    def tensorflow(self) -> Path:
        """The TensorFlow checkpoint."""
        return self.folder / "tensorflow"

    @property
    def pytorch(self) -> Path:
        """The same weights as a PyTorch checkpoint."""
        return self.folder / "pytorch"

    @property
    def onnx(self) -> Path:
        """What tfexport made of the TensorFlow checkpoint, with cache."""
        return self.folder / "onnx"


def prepare(name: str, folder: Path) -> dict[str, Any]:
    """Make a model, convert it to PyTorch and export it from TensorFlow.

    Returns:
        What a file of results says of the model.
    """
    from tfexport import FeaturesManager, export_checkpoint

    shape, prepared = SHAPES[name], Prepared(folder)
    model = shapes.make(shape.shape)
    model.save_pretrained(prepared.tensorflow, safe_serialization=False)
    converted = FeaturesManager.get_model_from_feature(shape.feature, prepared.tensorflow, framework="pt")
    converted.save_pretrained(prepared.pytorch)
    exported = export_checkpoint(
        prepared.tensorflow, prepared.onnx, feature=f"{shape.feature}-with-past", framework="tf"
    )
    parameters = sum(weight.shape.num_elements() for weight in model.weights)
    return {
        "model": name,
        "model_class": f"TF{shape.shape.class_name}",
        "parameters": parameters,
        "weights_mib": round(parameters * 4 / 2**20, 1),
        "exported_from": exported.choice.framework,
        "opset": exported.manifest["opset"],
        "validated": exported.valid,
        "files": {file["name"]: file["bytes"] for file in _files(exported.manifest)},
    }


def _files(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": file["bytes"]} for name, file in manifest["files"].items() if ".onnx" in name]


def make_prompt(name: str, batch: int, length: int) -> dict[str, np.ndarray]:
    """What is read before the first token is written: int64 ids and mask ``(batch, length)``, without padding."""
    vocabulary = SHAPES[name].shape.sizes.get("vocab_size", 32000)
    ids = np.random.default_rng([batch, length]).integers(_FIRST_WORD, vocabulary, (batch, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
