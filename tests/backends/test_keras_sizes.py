"""Sizes that a configuration names, held against the weights of its file while a Keras makes the model."""

from __future__ import annotations

import time
from typing import Any

import pytest

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.keras import sizes  # noqa: E402
from tfexport.backends.keras.sizes import MOST_CALLS, Stored, check_calls, watched  # noqa: E402
from tfexport.errors import CorruptCheckpointError  # noqa: E402

STORED = Stored(1000, 4)
LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int | None, ...]]] = {
    "units": ("Dense", {"units": 500_000_000}, (None, 8)),
    "units beyond 64 bits": ("Dense", {"units": 10**30}, (None, 8)),
    "rows": ("Embedding", {"input_dim": 10**12, "output_dim": 64}, (None, 8)),
    "product of two": ("Conv1D", {"filters": 10**6, "kernel_size": 10**6, "padding": "same"}, (None, 8, 2)),
    "cell": ("LSTM", {"units": 10**7}, (None, 8, 2)),
    "heads": ("MultiHeadAttention", {"num_heads": 10**6, "key_dim": 10**6}, (None, 8, 2)),
    "channels of the input": ("BatchNormalization", {}, (None, 10**10)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_large_layer(package: Any, name: str) -> None:
    """Before anything is allocated: 10^12 values would take minutes, or the process."""
    kind, config, shape = LAYERS[name]
    start = time.monotonic()
    refused = pytest.raises(CorruptCheckpointError, match=r"asks for at least .* and its file holds 1,000 in 4")
    with refused, watched([package], STORED, "model.keras"):
        made = package.Input(shape[1:])
        getattr(package.layers, kind)(**config)(*([made] * (2 if kind == "MultiHeadAttention" else 1)))
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_many_small_weights(package: Any) -> None:
    with pytest.raises(CorruptCheckpointError, match=r"in 1,\d\d\d weights"), watched([package], STORED, "model.keras"):
        for _ in range(1000):
            package.layers.Dense(1).build((None, 1))


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_many_layers_without_weights(package: Any) -> None:
    with (
        pytest.raises(CorruptCheckpointError, match=r"at least 1,\d\d\d layers"),
        watched([package], STORED, "model.keras"),
    ):
        for _ in range(2000):
            package.layers.ReLU()


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_model_that_fits_its_file(package: Any) -> None:
    stored = Stored(8 * 16 + 16, 2)
    with watched([package], stored, "model.keras"):
        layer = package.layers.Dense(16)
        layer.build((None, 8))
    assert layer.count_params() == stored.values


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_nothing_stays_patched(package: Any) -> None:
    with pytest.raises(CorruptCheckpointError), watched([package], Stored(0, 0), "model.keras"):
        package.layers.Dense(10**7).build((None, 8))
    package.layers.Dense(10**6).build((None, 2))


def test_layers_that_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """tf_keras looks for an end of the circle for ever."""
    monkeypatch.setattr(sizes, "MOST_READS", 1000)
    made = tf_keras.Input((6,), name="x")
    config = tf_keras.Model(made, tf_keras.layers.ReLU(name="b")(tf_keras.layers.ReLU(name="a")(made))).get_config()
    with watched([tf_keras], STORED, "model.keras"):
        assert tf_keras.Model.from_config(config).count_params() == 0
        config["layers"][1]["inbound_nodes"] = [[["b", 0, 0, {}]]]
        with pytest.raises(ValueError, match="wait for each other"):
            tf_keras.Model.from_config(config)


def test_many_layers() -> None:
    layer = {"class_name": "ReLU", "config": {"name": "x"}, "inbound_nodes": []}
    check_calls({"config": {"layers": [layer] * MOST_CALLS}}, "model.keras")
    for config in (
        {"config": {"layers": [layer] * (MOST_CALLS + 1)}},
        {"config": {"layers": [{**layer, "inbound_nodes": [[]] * (MOST_CALLS + 1)}]}},
        {"config": {"layers": [{"config": {"layers": [layer] * 101}}] * (MOST_CALLS // 100)}},
    ):
        with pytest.raises(CorruptCheckpointError, match="more than 20,000 layers and calls of layers"):
            check_calls(config, "model.keras")
