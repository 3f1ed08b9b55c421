"""Models that both versions of Keras can build: each function accepts the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.signature_models.support import floats, ids, with_weights

Built = tuple[Any, dict[str, np.ndarray]]
"""A model, with new inputs whose lengths differ from those that it was made for, where it accepts them."""


def transformer(k: Any) -> Built:
    layers = k.layers
    tokens = k.Input((None,), dtype="int32", name="tokens")
    hidden = layers.Embedding(50, 16, name="words")(tokens)
    for index in range(2):
        attended = layers.MultiHeadAttention(4, 8, name=f"attention_{index}")(hidden, hidden)
        hidden = layers.LayerNormalization(name=f"norm_{index}")(hidden + attended)
        inner = layers.Dense(32, activation="gelu", name=f"inner_{index}")(hidden)
        hidden = layers.LayerNormalization(name=f"out_{index}")(hidden + layers.Dense(16, name=f"outer_{index}")(inner))
    pooled = layers.GlobalAveragePooling1D(name="mean")(hidden)
    model = k.Model(tokens, [hidden, layers.Dense(3, name="logits")(pooled)])
    return with_weights(model), {"tokens": ids(50, 3, 11)}


def unet(k: Any) -> Built:
    layers = k.layers
    image = k.Input((None, None, 3), name="image")

    def block(value: Any, filters: int, name: str) -> Any:
        value = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(value)
        return layers.Activation("relu", name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(value))

    first = block(image, 8, "down_0")
    second = block(layers.MaxPooling2D(name="pool_0")(first), 12, "down_1")
    third = block(layers.MaxPooling2D(name="pool_1")(second), 16, "down_2")
    up = layers.Conv2DTranspose(12, 2, strides=2, name="up_1")(third)
    up = block(layers.Concatenate(name="skip_1")([up, second]), 12, "up_1_block")
    up = layers.UpSampling2D(interpolation="bilinear", name="up_0")(up)
    up = block(layers.Concatenate(name="skip_0")([up, first]), 8, "up_0_block")
    model = k.Model(image, layers.Conv2D(2, 1, name="mask")(up))
    return with_weights(model, floats(4, 32, 32, 3)), {"image": floats(2, 44, 60, 3)}


def mobilenet(k: Any) -> Built:
    made = k.applications.MobileNet((32, 32, 3), alpha=0.25, weights=None, classes=5, classifier_activation=None)
    return _application(made)


def efficientnet(k: Any) -> Built:
    made = k.applications.EfficientNetB0(
        input_shape=(32, 32, 3), weights=None, classes=5, classifier_activation=None, include_top=True
    )
    return _application(made)


def _application(model: Any) -> Built:
    images = np.random.default_rng(2).random((8, 32, 32, 3)).astype(np.float32) * 255
    images *= np.linspace(0.2, 1, 8, dtype=np.float32)[:, None, None, None]
    with_weights(model, np.concatenate([images, floats(16, 32, 32, 3)]))
    kernel = next(each for each in reversed(model.weights) if "kernel" in each.name)
    drawn = np.random.default_rng(3).standard_normal(tuple(kernel.shape))  # the head's, so that classes differ
    kernel.assign(drawn / np.sqrt(kernel.shape[-2]))
    return model, {model.layers[0].name: images[[7, 0]]}


def _of(layers_of: Callable[[Any], list[Any]], *shape: int, length: int | None = None) -> Callable[[Any], Built]:
    """Return one output per layer, all from one input, with `length` in place of the dynamic axes."""

    def build(k: Any) -> Built:
        made = k.Input(tuple(None if axis == 0 else axis for axis in shape), name="x")
        model = k.Model(made, {layer.name: layer(made) for layer in layers_of(k.layers)})
        return with_weights(model), {"x": floats(2, *(axis or length or 1 for axis in shape))}

    return build


conv1d = _of(
    lambda n: [
        n.Conv1D(5, 3, name="plain"),
        n.Conv1D(5, 3, padding="causal", dilation_rate=2, name="causal"),
        n.Conv1D(5, 4, strides=3, padding="same", activation="tanh", name="strided"),
        n.Conv1D(6, 3, groups=2, padding="same", name="grouped"),
        n.SeparableConv1D(5, 3, padding="same", name="separable"),
        n.Conv1DTranspose(3, 3, strides=2, padding="same", name="transposed"),
        n.UpSampling1D(3, name="up"),
        n.MaxPooling1D(3, 2, padding="same", name="max"),
        n.AveragePooling1D(3, 2, padding="same", name="average"),
        n.GlobalMaxPooling1D(name="global_max"),
    ],
    0,
    4,
    length=23,
)
conv2d = _of(
    lambda n: [
        n.Conv2D(6, 3, strides=2, padding="same", name="strided"),
        n.Conv2D(8, 3, groups=4, padding="same", name="grouped"),
        n.Conv2D(6, 3, dilation_rate=2, padding="valid", name="dilated"),
        n.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise"),
        n.DepthwiseConv2D(3, strides=2, padding="valid", name="depthwise_strided"),
        n.SeparableConv2D(6, 3, padding="same", name="separable"),
        n.Conv2DTranspose(6, 3, strides=2, padding="same", name="transposed"),
        n.Conv2DTranspose(6, 4, strides=2, padding="valid", name="transposed_valid"),
    ],
    13,
    18,
    4,
)
sizes = _of(
    lambda n: [
        n.UpSampling2D((2, 3), name="nearest"),
        n.UpSampling2D(2, interpolation="bilinear", name="bilinear"),
        n.MaxPooling2D(3, 2, padding="same", name="max"),
        n.AveragePooling2D(3, 2, padding="same", name="average"),
        n.AveragePooling2D(2, name="average_valid"),
        n.GlobalAveragePooling2D(keepdims=True, name="global_average"),
        n.ZeroPadding2D(((1, 2), (0, 3)), name="padded"),
        n.Cropping2D(((1, 2), (0, 3)), name="cropped"),
        n.Permute((3, 1, 2), name="permuted"),
        n.Flatten(name="flat"),
        n.Reshape((-1, 4), name="rows"),
    ],
    13,
    18,
    4,
)
normalisations = _of(
    lambda n: [
        n.BatchNormalization(name="batch_norm"),
        n.BatchNormalization(axis=1, scale=False, name="batch_norm_1"),
        n.LayerNormalization(name="layer_norm"),
        n.LayerNormalization(axis=(1, 2, 3), name="layer_norm_all"),
        n.GroupNormalization(2, name="group_norm"),
        n.GroupNormalization(-1, name="instance_norm"),
        n.UnitNormalization(name="unit_norm"),
    ],
    7,
    9,
    4,
)
activations = _of(
    lambda n: [
        *(
            n.Activation(name, name=name)
            for name in ("gelu", "swish", "elu", "selu", "softplus", "hard_sigmoid", "mish")
        ),
        n.LeakyReLU(name="leaky"),
        n.PReLU(shared_axes=(1,), name="prelu"),
        n.Softmax(axis=1, name="softmax"),
        n.ReLU(max_value=1.0, name="relu_1"),
        n.Dropout(0.9, name="dropout"),
        n.GaussianNoise(0.9, name="noise"),
    ],
    6,
    5,
)
conv3d = _of(
    lambda n: [
        n.Conv3D(3, 2, padding="same", name="conv"),
        n.MaxPooling3D(2, name="max"),
        n.AveragePooling3D(2, name="average"),
        n.UpSampling3D(2, name="up"),
        n.GlobalAveragePooling3D(name="mean"),
    ],
    4,
    6,
    5,
    2,
)


def merges(k: Any) -> Built:
    n = k.layers
    left, right = k.Input((4, 3), name="left"), k.Input((4, 3), name="right")
    both = [left, right]
    made = [
        n.Add(name="sum"),
        n.Subtract(name="difference"),
        n.Multiply(name="product"),
        n.Maximum(name="maximum"),
        n.Average(name="mean"),
        n.Concatenate(axis=1, name="concatenated"),
        n.Dot(axes=(2, 2), name="dot"),
        n.Attention(name="attention"),
    ]
    model = k.Model(both, {layer.name: layer(both) for layer in made})
    return with_weights(model), {"left": floats(2, 4, 3), "right": floats(2, 4, 3, seed=4)}


EVERY: dict[str, Callable[[Any], Built]] = {
    "transformer": transformer,
    "unet": unet,
    "mobilenet": mobilenet,
    "efficientnet": efficientnet,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv3d": conv3d,
    "sizes": sizes,
    "normalisations": normalisations,
    "activations": activations,
    "merges": merges,
}
