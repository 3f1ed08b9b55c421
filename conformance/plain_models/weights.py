"""Random weights for a Keras model, such that its outputs are of order one and differ between inputs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

_FIXED = ("mean", "variance", "count")
"""Weights of a Normalization layer, which hold statistics of the data."""


def fill(model: Any, example: Any, seed: int = 0) -> Any:
    """Replace the weights of a model, and set its batch normalisations to about the statistics of an example.

    Args:
        model: A model of Keras 3 or tf_keras.
        example: Inputs to call it with.
        seed: Seed of the random weights.

    Returns:
        The same model.
    """
    model(example)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        path = str(getattr(weight, "path", weight.name)).split(":")[0]
        kind = path.split("/")[-1]
        if np.dtype(str(getattr(weight.dtype, "name", weight.dtype))).kind == "f" and kind not in _FIXED:
            weight.assign(_values(path, kind, tuple(weight.shape), random))
    _calibrate(model, example)
    for weight in model.weights:
        if str(getattr(weight, "path", weight.name)).split(":")[0].endswith(("moving_mean", "moving_variance")):
            value = np.asarray(weight)
            weight.assign(value * random.uniform(0.9, 1.1, value.shape).astype(value.dtype))
    return model


def _values(path: str, kind: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    drawn = np.asarray(random.standard_normal(shape), np.float32)
    if kind == "gamma":
        return np.asarray(1 + 0.2 * drawn, np.float32)
    if kind == "moving_variance":
        return np.asarray(random.uniform(0.5, 1.5, shape), np.float32)
    if len(shape) < 2 or "bias" in kind:
        return np.float32(0.1) * drawn
    if kind == "embeddings":
        return drawn
    inputs = prod(shape[:2]) if "depthwise" in path and len(shape) == 4 and shape[-1] == 1 else prod(shape[:-1])
    return drawn * np.float32(1.3 / inputs**0.5)


def _calibrate(model: Any, example: Any) -> None:
    """Set each batch normalisation to the statistics of the example, so that outputs neither fade nor grow."""
    layers = [layer for layer in model._flatten_layers() if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    if layers:
        model(example, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
