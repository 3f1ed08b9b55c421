"""Sizes in a configuration are held against the weight files before anything is allocated, and no real model is refused."""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from conformance.zoo.tiny import tiny_config
from tests import support
from tfexport.backends import get_backend
from tfexport.backends.model_size import check_size, layers_and_values
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.declarations.architectures import declarations
from tfexport.errors import CheckpointError, CorruptCheckpointError, MismatchedWeightsError
from tfexport.pipeline.options import export_options
from tfexport.pipeline.plan import make_plan

RELEASED: dict[str, tuple[str, dict[str, Any], float]] = {
    "bert-base": ("bert", {}, 109.5),
    "bert-large": ("bert", {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096}, 335),
    "bert-tiny": ("bert", {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 512}, 4.4),
    "labse": ("bert", {"vocab_size": 501153}, 471),
    "albert-base-v2": ("albert", {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}, 11.7),
    "albert-xxlarge-v2": ("albert", {}, 223),
    "xlm-roberta-base": ("xlm-roberta", {"vocab_size": 250002, "max_position_embeddings": 514}, 278),
    "gpt2": ("gpt2", {}, 124.4),
    "gpt2-xl": ("gpt2", {"n_embd": 1600, "n_layer": 48, "n_head": 25}, 1557.6),
    "ctrl": ("ctrl", {"n_positions": 50000, "vocab_size": 246534, "n_embd": 1280, "dff": 8192, "n_layer": 48}, 1638),
    "gpt-neo-125m": (
        "gpt_neo",
        {"hidden_size": 768, "num_layers": 12, "attention_types": [[["global", "local"], 6]]},
        125,
    ),
    "bloom-560m": ("bloom", {"vocab_size": 250880, "hidden_size": 1024, "n_layer": 24}, 559),
    "opt-125m": ("opt", {}, 125),
    "t5-small": ("t5", {}, 60.5),
    "mt5-small": ("mt5", {"vocab_size": 250112}, 300),
    "bart-large": ("bart", {}, 406),
    "pegasus-large": ("pegasus", {"vocab_size": 96103, "encoder_layers": 16, "decoder_layers": 16}, 570),
    "led-base": ("led", {"d_model": 768, "encoder_layers": 6, "decoder_layers": 6}, 161.8),
    "longformer-base": ("longformer", {"vocab_size": 50265, "max_position_embeddings": 4098}, 148),
    "bigbird-base": ("big_bird", {"vocab_size": 50358}, 128),
    "xlnet-base": ("xlnet", {"d_model": 768, "n_layer": 12, "d_inner": 3072}, 116.7),
    "deberta-v3-xsmall": ("deberta-v2", {"vocab_size": 128100, "hidden_size": 384, "num_hidden_layers": 12}, 70),
    "funnel-small": ("funnel", {}, 115),
    "mobilebert": ("mobilebert", {}, 24.6),
    "electra-small": ("electra", {}, 13.5),
    "vit-base": ("vit", {}, 86),
    "vit-base-384": ("vit", {"image_size": 384}, 86),
    "beit-large-512": ("beit", {"hidden_size": 1024, "num_hidden_layers": 24, "image_size": 512}, 304),
    "dinov2-small": ("dinov2", {"hidden_size": 384, "image_size": 518, "patch_size": 14}, 22),
    "swin-tiny": ("swin", {}, 28.3),
    "swin-large-384": ("swin", {"embed_dim": 192, "depths": [2, 2, 18, 2], "image_size": 384, "window_size": 12}, 197),
    "convnext-tiny": ("convnext", {}, 28.6),
    "resnet-50": ("resnet", {}, 25.6),
    "resnet-18": ("resnet", {"hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}, 11.7),
    "efficientnet-b0": ("efficientnet", {"hidden_dim": 1280, "image_size": 224}, 5.3),
    "efficientnet-b7": ("efficientnet", {}, 66.3),
    "mobilenet-v2": ("mobilenet_v2", {}, 3.5),
    "mobilevit-small": ("mobilevit", {}, 5.6),
    "levit-128s": ("levit", {"hidden_sizes": [128, 256, 384]}, 7.8),
    "poolformer-s12": ("poolformer", {}, 11.9),
    "segformer-b0": ("segformer", {}, 3.7),
    "cvt-13": ("cvt", {}, 20),
    "detr-resnet-50": ("detr", {}, 41.5),
    "clip-vit-base-patch32": ("clip", {}, 151),
    "sam-vit-base": ("sam", {}, 93.7),
    "blip-base": ("blip", {}, 247),
    "whisper-tiny": ("whisper", {"d_model": 384, "encoder_layers": 4, "decoder_layers": 4, "vocab_size": 51865}, 37.8),
    "wav2vec2-base": ("wav2vec2", {}, 94),
    "perceiver-language": ("perceiver", {}, 201),
    "llama-3.2-1b": (
        "llama",
        {
            **{"vocab_size": 128256, "hidden_size": 2048, "num_hidden_layers": 16, "intermediate_size": 8192},
            **{"max_position_embeddings": 131072, "rope_theta": 500000000, "num_attention_heads": 32},
        },
        1236,
    ),
    "mistral-7b": ("mistral", {"max_position_embeddings": 32768}, 7242),
    "gemma-270m": (
        "gemma",
        {"vocab_size": 262144, "hidden_size": 640, "num_hidden_layers": 18, "intermediate_size": 2048},
        268,
    ),
    "tiny-llama-of-long-texts": (
        "llama",
        {"vocab_size": 64, "hidden_size": 16, "max_position_embeddings": 10_485_760},
        0.01,
    ),
}
"""Sizes of released models that differ from their configuration class's, with their number of parameters in millions."""


class _Found:
    def __init__(self, config: Any, file: Path) -> None:
        self.config, self.source = config, "a model"
        self.files = (file,)

    def weights_of(self, framework: str) -> _Found:
        return self


class _Choice:
    weights = "pt"


@pytest.mark.parametrize("name", RELEASED)
def test_no_released_model_is_refused(name: str, tmp_path: Path) -> None:
    model_type, sizes, millions = RELEASED[name]
    file = tmp_path / "model.safetensors"
    with file.open("wb") as stream:
        stream.truncate(int(millions * 1e6 * 2))  # in float16, the smallest form that is exported
    config = transformers.CONFIG_MAPPING[model_type](**sizes)
    check_size(_Found(config, file), _Choice())  # type: ignore[arg-type]
    _, values = layers_and_values(config)
    assert values < max(2**27, millions * 1e6 * 16) / 2  # by a margin of two


def test_no_tiny_model_is_refused() -> None:
    for model_type in declarations():
        layers, values = layers_and_values(tiny_config(model_type))
        assert layers <= 64, model_type
        assert values < 2**26, model_type


HUGE: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "BertModel", {"vocab_size": 50_000_000}),
    ("bert", "BertModel", {"num_hidden_layers": 1_000_000}),
    ("bert", "BertModel", {"num_hidden_layers": 20_000}),
    ("bert", "BertModel", {"num_hidden_layers": 10**30}),
    ("bert", "BertModel", {"hidden_size": 10**9, "num_attention_heads": 1}),
    ("bert", "BertModel", {"hidden_size": 10**12, "num_attention_heads": 1}),
    ("bert", "BertModel", {"intermediate_size": 10**9}),
    ("bert", "BertModel", {"max_position_embeddings": 2**40}),
    ("bert", "BertModel", {"max_position_embeddings": 10**9, "rope_theta": 1.0}),
    ("bert", "BertModel", {"type_vocab_size": 10**8}),
    ("bert", "BertModel", {"num_labels": 10**9}),
    ("bert", "BertModel", {"num_hidden_layers": 10**4, "hidden_size": 4096}),
    ("gpt2", "GPT2Model", {"n_positions": 100_000}),
    ("gpt2", "GPT2Model", {"n_layer": 10**5}),
    ("gpt2", "GPT2Model", {"n_inner": 10**9}),
    ("t5", "T5Model", {"d_ff": 10**9}),
    ("t5", "T5Model", {"d_model": 10**7}),
    ("t5", "T5Model", {"num_layers": 10**5}),
    ("t5", "T5Model", {"relative_attention_num_buckets": 10**9}),
    ("vit", "ViTModel", {"image_size": 10**6, "patch_size": 1}),
    ("t5", "T5Model", {"num_heads": 10**9}),
    ("t5", "T5Model", {"d_kv": 10**9}),
    ("vit", "ViTModel", {"patch_size": 10**5}),
    ("vit", "ViTModel", {"num_channels": 10**9}),
    ("swin", "SwinModel", {"mlp_ratio": 1e12}),
    ("swin", "SwinModel", {"depths": [1, 1, 10**6]}),
    ("swin", "SwinModel", {"window_size": 10**4}),
    ("swin", "SwinModel", {"embed_dim": 10**6}),
    ("clip", "CLIPModel", {"projection_dim": 10**9}),
]


@pytest.mark.parametrize(("model_type", "class_name"), sorted({(m, c) for m, c, _ in HUGE}))
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_model_that_no_file_holds(model_type: str, class_name: str, framework: Framework, tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    support.save_tiny(sound, model_type, class_name, "pt" if framework == "pt" else "h5")
    values = json.loads((sound / "config.json").read_text())
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    for number, sizes in enumerate(sizes for kind, _, sizes in HUGE if kind == model_type):
        folder = tmp_path / str(number)
        shutil.copytree(sound, folder)
        support.write_config(folder, {**values, **sizes})
        with pytest.raises(CheckpointError, match="describes a model of|are expected of any model"):
            _load(folder, framework)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024
    assert time.monotonic() - start < 60


def _load(folder: Path, framework: Framework) -> None:
    plan = make_plan(str(folder), export_options(framework=framework))
    get_backend(framework).load(plan.checkpoint, plan.model_class, plan.choice)  # type: ignore[union-attr]


def test_the_part_of_a_model_is_counted(tmp_path: Path) -> None:
    support.save_tiny(tmp_path, "clip", "CLIPModel", "pt")
    values = json.loads((tmp_path / "config.json").read_text())
    support.write_config(tmp_path, {**values, "text_config": {**values["text_config"], "vocab_size": 50_000_000}})
    with pytest.raises(MismatchedWeightsError, match="at least"):
        _load(tmp_path, "pt")


def test_labels_are_counted_before_transformers_lists_them(bert: Callable[[str], Path], tmp_path: Path) -> None:
    support.write_config(tmp_path, {"model_type": "bert", "text_config": {"num_labels": 10**9}})
    with pytest.raises(CorruptCheckpointError, match="num_labels 1,000,000,000, and at most"):
        _ = open_checkpoint(tmp_path).config
