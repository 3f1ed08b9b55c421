"""Small models of Keras 3 with random weights: written and run by Keras on TensorFlow, exported by Keras on PyTorch.

Keras runs on one framework a process, so that what is here is called in processes of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
FEATURES = 3
MASKS = np.array(
    [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], np.int32
)
"""Masks of rows: right-padded, left-padded, with holes, and without any unmasked step."""


@cache
def keras_on(backend: str) -> Any:
    """Return Keras, in a process that has not imported it."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    assert keras.backend.backend() == backend
    return keras


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def ids(*shape: int, least: int = 1) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(least, 11, size=shape).astype(np.int32)


def transformer(keras: Any) -> Any:
    """Return two blocks with attention over tokens that are not 0, and a GELU."""
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 8, mask_zero=True, name="embedding")(tokens)
    for block in range(2):
        seen = layers.MultiHeadAttention(2, 4, name=f"attention_{block}")(x, x)
        x = layers.LayerNormalization(name=f"norm_{block}")(x + seen)
        y = layers.Dense(16, activation="gelu", name=f"wide_{block}")(x)
        x = x + layers.Dense(8, name=f"narrow_{block}")(y)
    return keras.Model(tokens, layers.Dense(4, name="scores")(x))


def unet(keras: Any) -> Any:
    """Return a model for images of any even size."""
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    wide = layers.Conv2D(4, 3, padding="same", activation="relu", name="enter")(image)
    small = layers.Conv2D(8, 3, strides=2, padding="same", activation="swish", name="down")(wide)
    large = layers.Conv2DTranspose(4, 2, strides=2, name="up")(small)
    bilinear = layers.UpSampling2D(2, interpolation="bilinear", name="resized")(small)
    x = layers.Concatenate(name="skip")([wide, large, bilinear])
    return keras.Model(image, layers.Conv2D(2, 1, name="mask")(x))


def mobile(keras: Any) -> Any:
    """Return depthwise and separable convolutions, a residual, and a normalisation with statistics."""
    layers = keras.layers
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="stem_norm")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.Conv2D(8, 1, name="project")(layers.ReLU(6.0)(y))
    x = layers.SeparableConv2D(12, 3, strides=2, padding="same", name="separable")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(x))
    return keras.Model(image, layers.Dense(5, name="classes")(layers.Dropout(0.5)(x)))


def tagger(keras: Any) -> Any:
    layers = keras.layers
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(11, 6, mask_zero=True, name="embedding")(words)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both")(x)
    x = layers.GRU(4, return_sequences=True, name="gru")(x)
    return keras.Model(words, layers.Dense(3, name="tags")(x))


def recurrent(keras: Any) -> Any:
    """Return every layer that an operator computes, in all its variants, for sequences without a mask."""
    layers = keras.layers
    x = keras.Input((None, FEATURES), name="x")
    state, carry = keras.Input((4,), name="state"), keras.Input((4,), name="carry")
    outputs = [
        *layers.LSTM(4, return_sequences=True, return_state=True, go_backwards=True)(x),
        *layers.LSTM(4, return_state=True)(x, initial_state=[state, carry]),
        layers.LSTM(4, use_bias=False, activation="softsign", recurrent_activation="hard_sigmoid")(x),
        layers.GRU(4, return_sequences=True)(x, initial_state=state),
        layers.GRU(4, reset_after=False, recurrent_dropout=0.5, dropout=0.5)(x),
        layers.GRU(4, use_bias=False, return_sequences=True, go_backwards=True)(x),
        *layers.SimpleRNN(4, return_sequences=True, return_state=True)(x),
        layers.SimpleRNN(4, activation="relu", use_bias=False)(x),
        layers.RNN(layers.GRUCell(4), return_sequences=True)(x),
        layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="sum")(x),
    ]
    return keras.Model([x, state, carry], outputs)


def masked(keras: Any) -> Any:
    layers = keras.layers
    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(11, FEATURES, mask_zero=True, name="embedding")(words)
    outputs = []
    for make in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        for zero in (False, True):
            for backwards in (False, True):
                layer = make(
                    4, return_sequences=True, return_state=True, go_backwards=backwards, zero_output_for_mask=zero
                )
                outputs += layer(x)
            outputs.append(make(4, zero_output_for_mask=zero)(x))
    return keras.Model(words, outputs)


def dicts(keras: Any) -> Any:
    """Return a model with named inputs and outputs that are not in alphabetical order."""
    layers = keras.layers
    inputs = {"right": keras.Input((3,), name="right"), "left": keras.Input((5,), name="left")}
    x = layers.Dense(4, name="of_left")(inputs["left"]) + layers.Dense(4, name="of_right")(inputs["right"])
    return keras.Model(inputs, {"wide": layers.Dense(6, name="b")(x), "narrow": layers.Dense(2, name="a")(x)})


def two_outputs(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((5,), name="x")
    return keras.Model(x, [layers.Dense(3, name="second")(x), layers.Dense(2, name="first")(x)])


def unrolled(keras: Any) -> Any:
    """Return a layer that no operator computes."""
    x = keras.Input((None, FEATURES), name="x")
    return keras.Model(x, keras.layers.Dense(2, name="out")(keras.layers.LSTM(4, activation="selu", name="own")(x)))


def stateful(keras: Any) -> Any:
    x = keras.Input((None, FEATURES), name="x", batch_size=2)
    return keras.Model(x, keras.layers.LSTM(4, stateful=True, name="kept")(x))


SEQUENCES = [
    {"x": numbers(batch, length, FEATURES), "state": numbers(batch, 4), "carry": numbers(batch, 4) / 2}
    for batch, length in ((2, 5), (3, 9), (1, 1))
]
MODELS: dict[str, tuple[Callable[[Any], Any], list[Arrays]]] = {
    "transformer": (transformer, [{"tokens": ids(2, 7)}, {"tokens": ids(3, 4)}, {"tokens": ids(6, 5) * MASKS}]),
    "unet": (unet, [{"image": numbers(1, 8, 12, 3)}, {"image": numbers(2, 10, 6, 3)}]),
    "mobile": (mobile, [{"image": numbers(1, 32, 32, 3)}, {"image": numbers(3, 32, 32, 3)}]),
    "tagger": (tagger, [{"words": ids(2, 7)}, {"words": ids(6, 5) * MASKS}, {"words": ids(1, 1)}]),
    "recurrent": (recurrent, SEQUENCES),
    "masked": (masked, [{"words": ids(6, 5) * MASKS}, {"words": ids(2, 9, least=0)}]),
    "dicts": (dicts, [{"right": numbers(4, 3), "left": numbers(4, 5)}]),
    "two outputs": (two_outputs, [{"x": numbers(4, 5)}]),
    "unrolled": (unrolled, [{"x": numbers(2, 5, FEATURES)}]),
    "stateful": (stateful, [{"x": numbers(2, 5, FEATURES)}]),
}
OTHERS = ("saved_model", "of_tf_keras.h5")
"""Files that Keras on PyTorch does not load."""


def randomise(model: Any) -> None:
    """Set weights, biases and statistics so that outputs are of the order of 1 and differ by input."""
    random = np.random.default_rng(0)
    made = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        values = random.normal(size=shape) * (1.5 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.5)
        made.append(np.abs(values) + 0.5 if "variance" in weight.path or "gamma" in weight.path else values)
    model.set_weights(made)


def save_and_run(folder: Path) -> dict[str, dict[str, Any]]:
    """Save every model, run it on TensorFlow, and return weights by name, and outputs by input and name."""
    keras = keras_on("tensorflow")
    found: dict[str, dict[str, Any]] = {}
    for name, (build, inputs) in MODELS.items():
        keras.utils.clear_session()
        model = build(keras)
        if name != "stateful":
            randomise(model)
        model.save(folder / f"{name}.keras")
        model = keras.saving.load_model(
            folder / f"{name}.keras"
        )  # where weights have other paths than where it was built
        outputs = [_run(model, arrays) for arrays in inputs]
        found[name] = {"weights": {weight.path: np.asarray(weight) for weight in model.weights}, "outputs": outputs}
    two_outputs(keras).export(folder / "saved_model", verbose=False)
    import tf_keras

    old = tf_keras.Sequential([tf_keras.Input((None, 3)), tf_keras.layers.LSTM(4, time_major=True)])
    old.save(folder / "of_tf_keras.h5")
    return found


def save_for_parity(folder: Path) -> None:
    """Save a tagger, the same tagger with other weights, and a SavedModel."""
    keras = keras_on("tensorflow")
    model = tagger(keras)
    randomise(model)
    model.save(folder / "tagger.keras")
    model.set_weights([weight * 0.5 for weight in model.get_weights()])
    model.save(folder / "other.keras")
    other = two_outputs(keras)
    randomise(other)
    other.export(folder / "saved_model", verbose=False)


def _run(model: Any, arrays: Arrays) -> Arrays:
    one = len(arrays) == 1
    outputs = model(next(iter(arrays.values())) if one else _packed(model, arrays), training=False)
    if isinstance(outputs, dict):
        return {name: np.asarray(value) for name, value in outputs.items()}
    several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    names = [f"{index}" for index in range(len(several))]
    return {name: np.asarray(value) for name, value in zip(names, several, strict=True)}


def _packed(model: Any, arrays: Arrays) -> Any:
    return arrays if isinstance(model._inputs_struct, dict) else list(arrays.values())


def export_all(folder: Path) -> dict[str, dict[str, Any]]:
    """Export every model on PyTorch, and return its manifest or the error."""
    import tfexport

    found: dict[str, dict[str, Any]] = {}
    for name in (*MODELS, *OTHERS):
        file = folder / (name if name in OTHERS else f"{name}.keras")
        try:
            result = tfexport.export_checkpoint(file, folder / "exported" / name, framework="pt")
            found[name] = {"manifest": dict(result.manifest)}
        except tfexport.TfExportError as error:
            found[name] = {"error": type(error).__name__, "message": str(error)}
    shapes = {"x": [None, 5, FEATURES]}
    result = tfexport.export_checkpoint(
        folder / "unrolled.keras", folder / "exported" / "fixed", framework="pt", input_shapes=shapes
    )
    found["fixed"] = {"manifest": dict(result.manifest)}
    found["by dynamo"] = _export_by_dynamo(folder)
    return found


def _export_by_dynamo(folder: Path) -> dict[str, Any]:
    import tfexport
    from tfexport.backends import pytorch

    pytorch._ROUTES = {"dynamo": pytorch._ROUTES["dynamo"]}
    result = tfexport.export_checkpoint(folder / "transformer.keras", folder / "exported" / "by dynamo", framework="pt")
    return {"manifest": dict(result.manifest)}


def export_without_operators(file: Path) -> str:
    """Return the error of a model with recurrent layers, without the patch that makes them operators."""
    import tfexport
    from tfexport.backends.pytorch import patches

    patches.MODULES = tuple(module for module in patches.MODULES if not module.__name__.endswith(".keras_recurrent"))
    try:
        tfexport.export_checkpoint(file, file.parent / "exported" / "without", framework="pt")
    except tfexport.TfExportError as error:
        return str(error)
    return ""
