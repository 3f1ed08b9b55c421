"""The models: one function per model makes it in this process. Only the functions import Keras and TensorFlow."""

from __future__ import annotations

import runpy
from typing import Any

import numpy as np

from conformance.plain_models.spec import Input, PlainModel
from conformance.plain_models.weights import fill
from conformance.real_weights import BASIC_PITCH, DEEPCUT, FER, fetch

_IMAGE = 64
_CLASSES = 10


def _drawn(*shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(7).standard_normal(shape), np.float32)


def _ids(limit: int, *shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(7).integers(1, limit, shape), np.int32)


def basic_pitch() -> Any:
    """Spotify's basic-pitch: a SavedModel of trained weights, sound to notes."""
    import tensorflow as tf

    return tf.saved_model.load(str(fetch(BASIC_PITCH) / "nmp"))


def fer() -> Any:
    """fer's emotion model: a trained ``.hdf5`` of Keras 2, faces to emotions."""
    import keras

    return keras.saving.load_model(fetch(FER), compile=False)


def deepcut() -> Any:
    """deepcut's Thai word segmentation: the package's code builds it, and then loads its trained weights."""
    folder = fetch(DEEPCUT)
    model = runpy.run_path(str(folder / "model.py"))["get_convo_nn2"]()
    model.load_weights(str(folder / "weight" / "cnn_without_ne_ab.h5"))
    return model


def bert_backbone() -> Any:
    """KerasHub's BERT: four layers of 256."""
    import keras_hub

    model = keras_hub.models.BertBackbone(
        vocabulary_size=8000, num_layers=4, num_heads=4, hidden_dim=256, intermediate_dim=1024
    )
    return fill(
        model,
        {
            "token_ids": _ids(8000, 2, 12),
            "segment_ids": _ids(2, 2, 12),
            "padding_mask": np.ones((2, 12), np.int32),
        },
    )


def gpt2_backbone() -> Any:
    """KerasHub's GPT-2: six layers of 256."""
    import keras_hub

    model = keras_hub.models.GPT2Backbone(
        vocabulary_size=10000, num_layers=6, num_heads=4, hidden_dim=256, intermediate_dim=1024
    )
    return fill(model, {"token_ids": _ids(10000, 2, 12), "padding_mask": np.ones((2, 12), np.int32)})


def transformer() -> Any:
    """A text encoder of keras.layers.MultiHeadAttention, LayerNormalization and GELU, two layers of 64."""
    import keras

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(1000, 64)(tokens)
    for _ in range(2):
        attended = keras.layers.MultiHeadAttention(4, 16)(x, x)
        x = keras.layers.LayerNormalization()(x + attended)
        wide = keras.layers.Dense(256, activation="gelu")(x)
        x = keras.layers.LayerNormalization()(x + keras.layers.Dense(64)(wide))
    return fill(keras.Model(tokens, keras.layers.Dense(7, name="labels")(x)), _ids(1000, 2, 12))


def _tagger(mask_zero: bool) -> Any:
    import keras

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(500, 32, mask_zero=mask_zero)(tokens)
    x = keras.layers.Bidirectional(keras.layers.LSTM(24, return_sequences=True))(x)
    return fill(keras.Model(tokens, keras.layers.Dense(9, name="tags")(x)), _ids(500, 2, 12))


def lstm_tagger() -> Any:
    """A tagger: an embedding, a bidirectional LSTM, a dense layer. No mask."""
    return _tagger(mask_zero=False)


def lstm_tagger_masked() -> Any:
    """The same tagger with ``mask_zero=True``: words of id 0 are padding, which the LSTM steps over."""
    return _tagger(mask_zero=True)


def gru() -> Any:
    """Two GRUs over a series of numbers of any length: all steps of the first, the last step of the second."""
    import keras

    series = keras.Input((None, 8), name="series")
    x = keras.layers.GRU(16, return_sequences=True)(series)
    x = keras.layers.GRU(16)(x)
    return fill(keras.Model(series, keras.layers.Dense(3, name="forecast")(x)), _drawn(2, 12, 8))


def unet() -> Any:
    """A U-Net of three levels for images of any height and width (multiples of four)."""
    import keras

    def block(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = keras.layers.Activation("relu")(keras.layers.BatchNormalization()(x))
        return x

    image = keras.Input((None, None, 3), name="image")
    first = block(image, 8)
    second = block(keras.layers.MaxPooling2D()(first), 16)
    x = block(keras.layers.MaxPooling2D()(second), 32)
    x = keras.layers.Conv2DTranspose(16, 2, strides=2)(x)
    x = block(keras.layers.Concatenate()([x, second]), 16)
    x = keras.layers.UpSampling2D()(x)
    x = block(keras.layers.Concatenate()([x, first]), 8)
    return fill(keras.Model(image, keras.layers.Conv2D(2, 1, name="mask")(x)), _drawn(2, 32, 32, 3))


def _application(name: str, pixels: bool = False) -> Any:
    import keras

    image = keras.Input((_IMAGE, _IMAGE, 3), name="image")
    made = getattr(keras.applications, name)(
        weights=None, input_tensor=image, classes=_CLASSES, classifier_activation=None
    )
    example = _drawn(8, _IMAGE, _IMAGE, 3)
    return fill(made, 127 + 70 * example if pixels else example)


def mobilenet_v2() -> Any:
    """keras.applications.MobileNetV2."""
    return _application("MobileNetV2")


def efficientnet_b0() -> Any:
    """keras.applications.EfficientNetB0, which takes pixels."""
    return _application("EfficientNetB0", pixels=True)


def convnext_tiny() -> Any:
    """keras.applications.ConvNeXtTiny, whose convolutions are grouped; it takes pixels."""
    return _application("ConvNeXtTiny", pixels=True)


def subclassed() -> Any:
    """A model that is Python code: the sign of its input's mean decides by tf.cond which layer is next."""
    import keras
    import tensorflow as tf

    class Gated(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(32, activation="tanh")
            self.above, self.below = keras.layers.Dense(32), keras.layers.Dense(32, activation="relu")
            self.head = keras.layers.Dense(5)
            for layer, width in ((self.first, 16), (self.above, 32), (self.below, 32), (self.head, 32)):
                layer.build((None, width))

        def call(self, features: Any) -> dict[str, Any]:
            x = self.first(features)
            x = tf.cond(tf.reduce_mean(features) > 0, lambda: self.above(x), lambda: self.below(x))
            return {"scores": self.head(x)}

    return fill(Gated(), _drawn(2, 16))


def tf_keras_mobilenet() -> Any:
    """tf_keras.applications.MobileNet, half as wide: a model of Keras 2."""
    import tf_keras

    image = tf_keras.Input((_IMAGE, _IMAGE, 3), name="image")
    made = tf_keras.applications.MobileNet(
        alpha=0.5, weights=None, input_tensor=image, classes=_CLASSES, classifier_activation=None
    )
    return fill(made, _drawn(8, _IMAGE, _IMAGE, 3))


def several() -> Any:
    """Three inputs, an image, a text and numbers, and two outputs."""
    import keras

    image = keras.Input((32, 32, 3), name="image")
    text = keras.Input((None,), dtype="int32", name="text")
    numbers = keras.Input((4,), name="numbers")
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(16, 3, activation="relu")(image))
    read = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(100, 16)(text))
    x = keras.layers.Concatenate()([seen, read, keras.layers.Dense(8, activation="relu")(numbers)])
    x = keras.layers.Dense(32, activation="relu")(x)
    label = keras.layers.Dense(6, activation="softmax", name="label")(x)
    price = keras.layers.Dense(1, name="price")(x)
    example = [_drawn(2, 32, 32, 3), _ids(100, 2, 9), _drawn(2, 4)]
    return fill(keras.Model([image, text, numbers], [label, price]), example)


_TEXT = ({"batch": 1, "sequence": 9}, {"batch": 3, "sequence": 16}, {"batch": 4, "sequence": 1})
_PAIR = ("batch", "sequence")
_PHOTO = {"image": Input(("batch", _IMAGE, _IMAGE, 3))}
_PIXELS = {"image": Input(("batch", _IMAGE, _IMAGE, 3), "pixels")}
_CLASSIFIED = {"predictions": ("batch", _CLASSES)}

MODELS = (
    PlainModel(
        "basic-pitch (SavedModel)",
        basic_pitch,
        {"input_2": Input(("batch", 43844, 1))},
        {"onset": ("batch", 172, 88), "note": ("batch", 172, 88), "contour": ("batch", 172, 264)},
        source="saved-model",
        keras="",
    ),
    PlainModel(
        "fer (.hdf5)", fer, {"input_1": Input(("batch", 64, 64, 1))}, {"predictions": ("batch", 7)}, source="h5"
    ),
    PlainModel(
        "deepcut (built in Python)",
        deepcut,
        {"input_layer": Input(("batch", 21), "ids", 178), "input_layer_1": Input(("batch", 21), "ids", 12)},
        {"dense_13": ("batch", 1)},
        source="python",
    ),
    PlainModel(
        "BertBackbone of KerasHub",
        bert_backbone,
        {
            "token_ids": Input(_PAIR, "ids", 8000),
            "segment_ids": Input(_PAIR, "ids", 2),
            "padding_mask": Input(_PAIR, "mask"),
        },
        {"sequence_output": (*_PAIR, 256), "pooled_output": ("batch", 256)},
        _TEXT,
        source="preset",
    ),
    PlainModel(
        "GPT2Backbone of KerasHub",
        gpt2_backbone,
        {"token_ids": Input(_PAIR, "ids", 10000), "padding_mask": Input(_PAIR, "mask")},
        {"layer_norm": (*_PAIR, 256)},
        _TEXT,
        source="preset",
    ),
    PlainModel(
        "Transformer encoder", transformer, {"tokens": Input(_PAIR, "ids", 1000)}, {"labels": (*_PAIR, 7)}, _TEXT
    ),
    PlainModel(
        "LSTM tagger", lstm_tagger, {"tokens": Input(_PAIR, "ids", 500)}, {"tags": (*_PAIR, 9)}, _TEXT, recurrent=1
    ),
    PlainModel(
        "LSTM tagger, masked",
        lstm_tagger_masked,
        {"tokens": Input(_PAIR, "padded ids", 500)},
        {"tags": (*_PAIR, 9)},
        _TEXT,
        recurrent=1,
    ),
    PlainModel("GRU", gru, {"series": Input((*_PAIR, 8))}, {"forecast": ("batch", 3)}, _TEXT, recurrent=2),
    PlainModel(
        "U-Net",
        unet,
        {"image": Input(("batch", "height", "width", 3))},
        {"mask": ("batch", "height", "width", 2)},
        (
            {"batch": 1, "height": 32, "width": 48},
            {"batch": 3, "height": 64, "width": 36},
            {"batch": 1, "height": 20, "width": 100},
        ),
    ),
    PlainModel("MobileNetV2", mobilenet_v2, _PHOTO, _CLASSIFIED),
    PlainModel("EfficientNetB0", efficientnet_b0, _PIXELS, _CLASSIFIED),
    PlainModel("ConvNeXtTiny", convnext_tiny, _PIXELS, {"convnext_tiny_head_dense": ("batch", _CLASSES)}),
    PlainModel(
        "Subclassed, with tf.cond",
        subclassed,
        {"features": Input(("batch", 16))},
        {"scores": ("batch", 5)},
        source="python",
    ),
    PlainModel(
        "MobileNet of tf_keras",
        tf_keras_mobilenet,
        _PHOTO,
        {"predictions": ("batch", _CLASSES)},
        source="h5",
        keras="tf_keras",
    ),
    PlainModel(
        "Three inputs, two outputs",
        several,
        {
            "image": Input(("batch", 32, 32, 3)),
            "text": Input(_PAIR, "ids", 100),
            "numbers": Input(("batch", 4)),
        },
        {"label": ("batch", 6), "price": ("batch", 1)},
        _TEXT,
    ),
)
