"""Checkpoints to measure: trained ones, and random weights of published shapes, the same every time.

The random weights of a model that writes text are so large that the likeliest token leads clearly, and texts do not repeat a
token. Then an engine that computes other values writes another text.

They are checkpoints of TensorFlow, or of PyTorch if TensorFlow is not installed.

    python -m benchmarks.shapes bert-base gpt2      # create them under .cache/shapes
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.real_weights import MINILM, cache_folder, fetch, tensorflow_checkpoint
from tfexport.backends import installed_frameworks
from tfexport.checkpoints.framework import Framework

_SEED = 0


@dataclass(frozen=True)
class Shape:
    """A model's shape.

    Attributes:
        class_name: Name of the class, without TensorFlow's prefix.
        model_type: Model type of the configuration.
        sizes: Arguments of the configuration that differ from its defaults.
        embedding_scale: Factor on the token embedding. With the usual embedding, T5 predicts the token that it reads.
    """

    class_name: str
    model_type: str
    sizes: Mapping[str, Any] = field(default_factory=dict)
    embedding_scale: float = 1.0


_NO_END = {"eos_token_id": None, "pad_token_id": 0}
"""Arguments without an end-of-text token, so that every text has the requested length."""
_GPT2 = {"initializer_range": 0.1, "bos_token_id": None, **_NO_END}
_T5 = {"initializer_factor": 1.5, "decoder_start_token_id": 0, **_NO_END}
_T5_CLASS = "T5ForConditionalGeneration"
SHAPES = {
    "bert-base": Shape("BertModel", "bert"),
    "vit-base": Shape("ViTForImageClassification", "vit"),
    "gpt2": Shape("GPT2LMHeadModel", "gpt2", _GPT2),
    "t5-small": Shape(_T5_CLASS, "t5", _T5, embedding_scale=0.02),
    "whisper-tiny": Shape(
        "WhisperForConditionalGeneration",
        "whisper",
        {
            "d_model": 384,
            "encoder_layers": 4,
            "decoder_layers": 4,
            "encoder_attention_heads": 6,
            "decoder_attention_heads": 6,
            "encoder_ffn_dim": 1536,
            "decoder_ffn_dim": 1536,
            "init_std": 0.1,
            "decoder_start_token_id": 50257,
            "bos_token_id": None,
            **_NO_END,
        },
    ),
    "bert-tiny": Shape(
        "BertModel",
        "bert",
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "vocab_size": 1000,
        },
    ),
    "gpt2-tiny": Shape(
        "GPT2LMHeadModel", "gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 1000, **_GPT2}
    ),
    "whisper-micro": Shape(
        "WhisperForConditionalGeneration",
        "whisper",
        {
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "max_source_positions": 50,
            "init_std": 0.2,
            "vocab_size": 1000,
            "decoder_start_token_id": 1,
            "bos_token_id": None,
            **_NO_END,
        },
    ),
    "t5-tiny": Shape(
        _T5_CLASS,
        "t5",
        {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 1000, **_T5},
        embedding_scale=0.02,
    ),
}
"""Shapes by the name of the published checkpoint. The tiny ones are for tests of the benchmarks themselves."""
REAL = {"minilm": (MINILM, "TFBertModel")}
"""Checkpoints with trained weights, by name, with their class."""


def prepare(name: str) -> Path:
    """Return the folder of a checkpoint, which is created the first time.

    Raises:
        KeyError: No checkpoint has this name.
    """
    tensorflow = "tf" in installed_frameworks()
    if name in REAL:
        return tensorflow_checkpoint(*REAL[name]) if tensorflow else fetch(REAL[name][0])
    folder = cache_folder() / "shapes" / (name if tensorflow else f"{name}-pt")
    if not folder.is_dir():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        make(SHAPES[name], "tf" if tensorflow else "pt").save_pretrained(
            str(partial), safe_serialization=not tensorflow
        )
        partial.rename(folder)
    return folder


def make(shape: Shape, framework: Framework = "tf") -> Any:
    """Return the framework's model, with the same weights every time."""
    import transformers

    config = transformers.CONFIG_MAPPING[shape.model_type](**shape.sizes)
    chosen = getattr(transformers, f"TF{shape.class_name}" if framework == "tf" else shape.class_name)
    transformers.set_seed(_SEED)  # after the import of the class, which might draw numbers
    model = chosen(config)
    if framework == "tf":
        model.build_in_name_scope()
    if shape.embedding_scale != 1.0:
        embedding = model.get_input_embeddings()
        if framework == "tf":
            embedding.weights[0].assign(embedding.weights[0] * shape.embedding_scale)
        else:
            embedding.weight.data *= shape.embedding_scale
    return model


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SHAPES:
        print(prepare(wanted))
