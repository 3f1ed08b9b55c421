"""Tiny sound models and exports, which the cases change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

FAMILIES = {
    "bert": "BertModel",
    "gpt2": "GPT2Model",
    "t5": "T5Model",
    "vit": "ViTModel",
    "distilbert": "DistilBertModel",
    "clip": "CLIPModel",
    "whisper": "WhisperModel",
    "deberta-v2": "DebertaV2Model",
    "convnext": "ConvNextModel",
}
"""Families of models whose configurations are walked through, with a class of each."""
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{i}" for i in range(59)))


def make(folder: Path) -> None:
    """Make all seeds in a folder."""
    _berts(folder)
    _families(folder)
    _keras_files(folder)
    _saved_models(folder)
    _exports(folder)


def _berts(folder: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizerFast, TFBertModel, set_seed

    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    set_seed(0)
    model = BertModel(config).eval()
    model.save_pretrained(folder / "bert-pt")
    (folder / "bert-pt" / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(str(folder / "bert-pt" / "vocab.txt")).save_pretrained(folder / "bert-pt")
    beside = [file for file in (folder / "bert-pt").iterdir() if file.name != "model.safetensors"]
    model.save_pretrained(folder / "bert-bin", safe_serialization=False)
    model.save_pretrained(folder / "bert-shards", max_shard_size="20KB")
    TFBertModel.from_pretrained(folder / "bert-pt", from_pt=True).save_pretrained(folder / "bert-tf")
    for name in ("bert-bin", "bert-shards", "bert-tf"):
        for file in beside:
            shutil.copyfile(file, folder / name / file.name)


def _families(folder: Path) -> None:
    from conformance.zoo.models import tiny_model
    from conformance.zoo.tiny import tiny_config

    for family, name in FAMILIES.items():
        tiny_model("pt", name, tiny_config(family)).save_pretrained(folder / f"family-{family}")


def _keras_files(folder: Path) -> None:
    import keras
    import tf_keras

    for name, library in (("keras3", keras), ("tf-keras", tf_keras)):
        layers: Any = library.layers
        model = library.Sequential([layers.Input((8,)), layers.Dense(16, "relu"), layers.Dense(4)])
        inputs = library.Input((8,), name="x")
        twice = library.Model(inputs, layers.Lambda(lambda x: x * 2.0, name="twice")(inputs))
        for extension in ("keras", "h5"):
            model.save(folder / f"dense-{name}.{extension}")
            twice.save(folder / f"lambda-{name}.{extension}")


def _saved_models(folder: Path) -> None:
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self, does: str) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.random.stateless_normal((8, 4), (1, 2)))
            self.does = does

        @tf.function(input_signature=[tf.TensorSpec((None, 8), tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            y = x @ self.kernel
            if self.does == "write":
                with tf.control_dependencies([tf.io.write_file("CANARY-of-a-saved-model", "x")]):
                    y = tf.identity(y)
            elif self.does == "read":
                y = y + tf.cast(tf.io.decode_raw(tf.io.read_file("/etc/hostname"), tf.uint8), tf.float32)[0]
            elif self.does == "python":
                y = tf.ensure_shape(tf.py_function(lambda value: value + 1, [y], tf.float32), (None, 4))
            return {"y": y}

    for does in ("", "write", "read", "python"):
        module = Module(does)
        name = "-".join(filter(None, ("saved-model", does)))
        tf.saved_model.save(module, str(folder / name), signatures=module.__call__)


def _exports(folder: Path) -> None:
    from tfexport import export_model

    for source in ("bert-pt", "dense-keras3.keras", "family-t5"):
        export_model(str(folder / source), folder / f"export-{Path(source).stem}")
    _foreign_export(folder / "export-foreign")
    _results(folder / "export-bert-pt", folder / "results.json")


def _results(export: Path, file: Path) -> None:
    """Measure an export, and write the results."""
    from tfexport.benchmark import Options, Request, benchmark, write

    options = Options(
        engines=("ort", "torch-eager"),
        batch_sizes=(1,),
        sequence_lengths=(8,),
        launches=1,
        round_s=0.02,
        time_limit_s=2.0,
    )
    document = benchmark([Request(str(export))], options)
    for cell in document["groups"][0]["cells"]:
        for launch in cell["launches"]:  # few of the calls: the cases walk through this document
            launch["warm_up_us"] = launch["warm_up_us"][:2]
            launch["rounds_us"] = [each[:3] for each in launch["rounds_us"][:3]]
    write(file, document)


def _foreign_export(folder: Path) -> None:
    """Make an export of another tool: a model without a manifest, and a data file beside it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir()
    weight = numpy_helper.from_array(np.arange(1024, dtype=np.float32).reshape(8, 128), "weight")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 128])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(
        model, str(folder / "model.onnx"), save_as_external_data=True, location="model.onnx_data", size_threshold=0
    )


def config_of(folder: Path) -> dict[str, Any]:
    """Return the configuration of a seed."""
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found
