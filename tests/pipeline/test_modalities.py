"""Checkpoints of every modality with their preprocessors, as users have them on disk: exported, then used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests import support

FRAMEWORKS = ("pt", "tf")


def _checkpoint(folder: Path, model_type: str, class_name: str, framework: str, feature: str = "default") -> Any:
    name = class_name if framework == "pt" else f"TF{class_name}"
    model = tiny_model(framework, name, tiny_config(model_type, feature))
    model.save_pretrained(folder)
    return model


def _image_processor(folder: Path, size: int) -> Any:
    from transformers import ViTImageProcessor

    processor = ViTImageProcessor(size={"height": size, "width": size}, image_mean=[0.4, 0.5, 0.6])
    processor.save_pretrained(folder)
    return processor


def _feature_extractor(folder: Path) -> Any:
    from transformers import Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(sampling_rate=8_000, do_normalize=True)
    extractor.save_pretrained(folder)
    return extractor


def _outputs(folder: Path, feeds: dict[str, Any]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def _source(model: Any, framework: str, feeds: dict[str, Any], output: str) -> np.ndarray:
    if framework == "tf":
        return np.asarray(model(feeds, training=False)[output])
    import torch

    with torch.no_grad():
        return np.asarray(model(**{name: torch.tensor(value) for name, value in feeds.items()})[output])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_images(framework: str, tmp_path: Path) -> None:
    config = tiny_config("vit", "image-classification")
    source = tmp_path / "vit"
    model = _checkpoint(source, "vit", "ViTForImageClassification", framework, "image-classification")
    processor = _image_processor(source, config.image_size)
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="auto")
    assert result.valid
    assert result.choice.framework == framework
    manifest = support.assert_complete(tmp_path / "out")
    assert manifest["feature"] == "image-classification"
    assert manifest["preprocessor"] != "none"
    copied = (tmp_path / "out" / "preprocessor_config.json").read_bytes()
    assert copied == (source / "preprocessor_config.json").read_bytes()

    picture = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    feeds = dict(processor(picture, return_tensors="np"))
    found = _outputs(tmp_path / "out", feeds)["logits"]
    np.testing.assert_allclose(found, _source(model, framework, feeds, "logits"), atol=1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_audio(framework: str, tmp_path: Path) -> None:
    source = tmp_path / "wav2vec2"
    model = _checkpoint(source, "wav2vec2", "Wav2Vec2ForCTC", framework, "ctc")
    extractor = _feature_extractor(source)
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="automatic-speech-recognition")
    assert result.valid
    assert result.manifest["feature"] == "ctc"
    support.assert_complete(tmp_path / "out")

    sound = np.sin(np.arange(6_111) / 9).astype(np.float32)
    feeds = {"input_values": extractor(sound, sampling_rate=8_000, return_tensors="np")["input_values"]}
    found = _outputs(tmp_path / "out", feeds)["logits"]
    np.testing.assert_allclose(found, _source(model, framework, feeds, "logits"), atol=1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_images_and_text(framework: str, tmp_path: Path) -> None:
    from transformers import CLIPImageProcessor

    config = tiny_config("clip")
    source = tmp_path / "clip"
    _checkpoint(source, "clip", "CLIPModel", framework)
    size = config.vision_config.image_size
    images = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    tokenizer = support.small_tokenizer(source, config.text_config.vocab_size)
    images.save_pretrained(source)
    tokenizer.save_pretrained(source)
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="zero-shot-image-classification")
    assert result.valid
    manifest = support.assert_complete(tmp_path / "out")
    assert manifest["feature"] == "default"
    assert {"tokenizer.json", "preprocessor_config.json"} <= set(manifest["files"])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_encoder_decoders(framework: str, tmp_path: Path) -> None:
    source = tmp_path / "t5"
    model = _checkpoint(source, "t5", "T5ForConditionalGeneration", framework, "seq2seq-lm")
    result = tfexport.export_checkpoint(source, tmp_path / "out", feature="text2text-generation", monolith=True)
    assert result.valid
    random = np.random.default_rng(0)
    ids, decoder_ids = random.integers(3, 90, (2, 9)), random.integers(3, 90, (2, 4))
    mask = np.array([[1] * 9, [1] * 6 + [0] * 3])
    feeds = {
        "input_ids": ids,
        "attention_mask": mask,
        "decoder_input_ids": decoder_ids,
        "decoder_attention_mask": np.ones_like(decoder_ids),
    }
    found = _outputs(tmp_path / "out", feeds)["logits"]
    np.testing.assert_allclose(found, _source(model, framework, feeds, "logits"), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.filterwarnings("ignore:The class ConvNextFeatureExtractor is deprecated:FutureWarning")
def test_an_unreadable_preprocessor_is_no_reason_to_fail(framework: str, tmp_path: Path) -> None:
    source = tmp_path / "resnet"
    _checkpoint(source, "resnet", "ResNetModel", framework)
    (source / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "DreamImageProcessor"}))
    result = tfexport.export_checkpoint(source, tmp_path / "out")
    assert result.valid


def test_cli_of_a_vision_checkpoint(cli: Callable[..., support.Ran], tmp_path: Path) -> None:
    source = tmp_path / "convnext"
    _checkpoint(source, "convnext", "ConvNextForImageClassification", "tf", "image-classification")
    ran = cli("export", "-m", source, "--feature", "auto", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "TFConvNextForImageClassification, image-classification" in ran.out
    assert "pixels" in json.dumps(json.loads((tmp_path / "out" / "tfexport.json").read_text())["validation"])
