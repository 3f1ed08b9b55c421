"""Models of both versions of Keras and of KerasHub: files compared with the models, run eagerly on new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.signature_models.architectures import EVERY
from tests.signature_models.support import assert_agrees, export, ids, with_weights

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

PACKAGES = {"keras": keras, "tf_keras": tf_keras}


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", EVERY)
def test_a_file_computes_what_its_model_does(name: str, package: str, tmp_path: Path) -> None:
    model, feeds = EVERY[name](PACKAGES[package])
    done = export(model, tmp_path / "out")
    outputs = model(feeds if len(feeds) > 1 else next(iter(feeds.values())), training=False)
    expected = (
        outputs
        if isinstance(outputs, dict)
        else dict(zip(model.output_names, outputs if isinstance(outputs, list) else [outputs], strict=True))
    )
    assert done.manifest["source"]["loaded_by"].startswith(f"{package} ")
    far = 3e-4 if name == "efficientnet" else 5e-5  # 80 layers with weights that nobody trained blow up what is rounded
    assert_agrees(done.run(feeds), {port: expected[port] for port in done.run(feeds)}, far)
    assert set(done.run(feeds)) == set(expected)


# KerasHub ------------------------------------------------------------------------------------------------------------

SIZE = {"vocabulary_size": 60, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}


@pytest.fixture(scope="module")
def hub() -> Any:
    return pytest.importorskip("keras_hub", reason="tests of the extra keras-hub")


def _texts(names: list[str]) -> dict[str, np.ndarray]:
    """Return ids, and masks that end earlier in the second row."""
    mask = np.ones((2, 9), np.int64)
    mask[1, 5:] = 0
    return {
        name: mask if "mask" in name else ids(2 if "segment" in name else 60, 2, 9, seed=index)
        for index, name in enumerate(names)
    }


HUB = {
    "BertBackbone": (["token_ids", "segment_ids", "padding_mask"], ["sequence_output", "pooled_output"]),
    "GPT2Backbone": (["token_ids", "padding_mask"], None),
    "BertTextClassifier": (["token_ids", "segment_ids", "padding_mask"], ["logits"]),
}


# Of a text of one token, which is among those that are tried.
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", HUB)
def test_a_preset_directory_of_keras_hub(name: str, hub: Any, tmp_path: Path) -> None:
    inputs, outputs = HUB[name]
    if name == "BertTextClassifier":
        backbone = hub.models.BertBackbone(**SIZE, max_sequence_length=24)
        model = hub.models.BertTextClassifier(backbone, num_classes=3, preprocessor=None)
    else:
        model = getattr(hub.models, name)(**SIZE, max_sequence_length=24)
    with_weights(model)
    model.save_to_preset(str(tmp_path / "preset"))
    done = export(tmp_path / "preset", tmp_path / "out")
    source = done.manifest["source"]
    assert (source["kind"], source["model_class"]) == ("keras-hub", name)
    assert {"config.json", "model.weights.h5"} <= set(source["sha256"])
    assert sorted(port for port, *_ in done.inputs) == sorted(inputs)
    assert {kind for _, kind, _ in done.inputs} == {"tensor(int64)"}
    assert len({tuple(shape) for *_, shape in done.inputs}) == 1  # texts and masks are as long as each other
    feeds = _texts(inputs)
    expected = model({key: value.astype(np.int32) for key, value in feeds.items()}, training=False)
    if not isinstance(expected, dict):
        expected = {outputs[0] if outputs else done.outputs[0][0]: expected}
    found = done.run(feeds)
    assert_agrees(found, {key: expected[key] for key in found}, far=2e-5)
    assert outputs is None or set(found) == set(outputs)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
def test_texts_of_an_encoder_and_of_a_decoder_are_apart(hub: Any, tmp_path: Path) -> None:
    model = with_weights(hub.models.BartBackbone(**SIZE, max_sequence_length=24))
    done = export(model, tmp_path / "out")
    axes = {name: shape[1] for name, _, shape in done.inputs}
    assert axes["encoder_token_ids"] == axes["encoder_padding_mask"] != axes["decoder_token_ids"]
    assert axes["decoder_token_ids"] == axes["decoder_padding_mask"]
    encoder = _texts([n for n in axes if n.startswith("encoder")])
    decoder = {name: array[:, :4] for name, array in _texts([n for n in axes if n.startswith("decoder")]).items()}
    found = done.run({**encoder, **decoder})
    expected = model({name: array.astype(np.int32) for name, array in {**encoder, **decoder}.items()}, training=False)
    assert_agrees(found, {key: expected[key] for key in found}, far=2e-5)
