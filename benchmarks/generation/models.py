"""The models that write: random weights of the shape of published ones, the same for every engine.

Weights are wide enough that the likeliest token leads clearly, and that a text is not one token over and over: engines
that compute something else write something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_SEED = 0
_FIRST_WORD = 100
"""Ids below may be special ones."""


@dataclass(frozen=True)
class Shape:
    """A model's shape.

    Attributes:
        model_type: of the configuration.
        feature: without past.
        tensorflow_class: the class that makes it; PyTorch's has the same name without TF.
        sizes: arguments of the configuration; its defaults otherwise.
        embedding_scale: factor on the token embedding. With the usual one, T5's logits are those of the token it reads.
    """

    model_type: str
    feature: str
    tensorflow_class: str
    sizes: Mapping[str, Any] = field(default_factory=dict)
    embedding_scale: float = 1.0

    @property
    def encodes(self) -> bool:
        """Whether it is an encoder-decoder."""
        return self.feature == "seq2seq-lm"


_NO_END = {"eos_token_id": None, "pad_token_id": 0}
"""Every text is as long as it is asked to be."""
_GPT2 = {"initializer_range": 0.1, "bos_token_id": None, **_NO_END}
_T5 = {"initializer_factor": 1.5, "decoder_start_token_id": 0, **_NO_END}
SHAPES = {
    "gpt2": Shape("gpt2", "causal-lm", "TFGPT2LMHeadModel", _GPT2),
    "t5-small": Shape("t5", "seq2seq-lm", "TFT5ForConditionalGeneration", _T5, embedding_scale=0.02),
    "gpt2-tiny": Shape(
        "gpt2", "causal-lm", "TFGPT2LMHeadModel", {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 1000, **_GPT2}
    ),
    "t5-tiny": Shape(
        "t5",
        "seq2seq-lm",
        "TFT5ForConditionalGeneration",
        {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 1000, **_T5},
        embedding_scale=0.02,
    ),
}
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
    model = make(shape)
    model.save_pretrained(prepared.tensorflow, safe_serialization=False)
    converted = FeaturesManager.get_model_from_feature(shape.feature, prepared.tensorflow, framework="pt")
    converted.save_pretrained(prepared.pytorch)
    exported = export_checkpoint(
        prepared.tensorflow, prepared.onnx, feature=f"{shape.feature}-with-past", framework="tf"
    )
    parameters = sum(weight.shape.num_elements() for weight in model.weights)
    return {
        "model": name,
        "model_class": shape.tensorflow_class,
        "parameters": parameters,
        "weights_mib": round(parameters * 4 / 2**20, 1),
        "exported_from": exported.choice.framework,
        "opset": exported.manifest["opset"],
        "validated": exported.valid,
        "files": {file["name"]: file["bytes"] for file in _files(exported.manifest)},
    }


def make(shape: Shape) -> Any:
    """The TensorFlow model, with the same weights each time."""
    import transformers

    config = transformers.CONFIG_MAPPING[shape.model_type](**shape.sizes)
    chosen = getattr(transformers, shape.tensorflow_class)
    transformers.set_seed(_SEED)  # after the import of the class, so that nothing in it can draw numbers in between
    model = chosen(config)
    model.build_in_name_scope()
    embedding = model.get_input_embeddings().weights[0]
    embedding.assign(embedding * shape.embedding_scale)
    return model


def _files(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": file["bytes"]} for name, file in manifest["files"].items() if ".onnx" in name]


def make_prompt(name: str, batch: int, length: int) -> dict[str, np.ndarray]:
    """What is read before the first token is written: int64 ids and mask ``(batch, length)``, without padding."""
    vocabulary = SHAPES[name].sizes.get("vocab_size", 32000)
    ids = np.random.default_rng([batch, length]).integers(_FIRST_WORD, vocabulary, (batch, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
