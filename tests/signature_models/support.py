"""Small models whose weights change their outputs, and the comparison of their files with them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import tfexport
from tests.support import assert_complete

FAR = 1e-5
"""Largest difference in float32 of models as small as these, relative to the largest magnitude of an output."""


@dataclass(frozen=True)
class Exported:
    """A published file in a session of ONNX Runtime."""

    folder: Path
    manifest: Mapping[str, Any]
    session: Any

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, dict(feeds)), strict=True))

    @property
    def inputs(self) -> list[tuple[str, str, list[Any]]]:
        """Return name, type and shape, as ONNX Runtime reports them."""
        return [(port.name, port.type, port.shape) for port in self.session.get_inputs()]

    @property
    def outputs(self) -> list[tuple[str, str, list[Any]]]:
        return [(port.name, port.type, port.shape) for port in self.session.get_outputs()]


def export(model: Any, folder: Path, **options: Any) -> Exported:
    """Export a model, and open the published file."""
    result = tfexport.export_checkpoint(model, folder, **options)
    assert result.valid
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return Exported(folder, assert_complete(folder), session)


def assert_agrees(found: Mapping[str, np.ndarray], expected: Mapping[str, Any], far: float = FAR) -> None:
    """Assert names, order and values of the outputs, that none is near zero, and that its rows differ."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        wanted = np.asarray(value)
        assert found[name].shape == wanted.shape, name
        assert found[name].dtype == wanted.dtype, name
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(found[name], wanted, err_msg=name)
            continue
        scale = float(np.abs(wanted).max())
        assert 0.05 < scale < 500, f"{name} is of the order {scale}: it shows nothing"
        if wanted.ndim and len(wanted) > 1:
            assert np.abs(wanted[0] - wanted[1]).max() > 0.02 * scale, f"{name} does not depend on the inputs"
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=far * max(scale, 1), err_msg=name)


def with_weights(model: Any, images: np.ndarray | None = None, seed: int = 0) -> Any:
    """Return a model with new biases, embeddings and statistics, so that each of them changes the outputs.

    Args:
        model: Model of either Keras; changed in place.
        images: Inputs for the statistics of normalisations, so that values in a deep network keep their magnitude. None
            draws the statistics.
        seed: Seed of the values.
    """
    random = np.random.default_rng(seed)
    for variable in model.weights:
        kind = variable.name.split("/")[-1].split(":")[0]
        drawn = random.standard_normal(tuple(variable.shape))
        if kind in ("bias", "beta", "moving_mean", "alpha"):
            variable.assign(0.3 * drawn)
        elif kind in ("gamma", "moving_variance"):
            variable.assign(0.6 + 0.8 * random.random(tuple(variable.shape)))
        elif "embedding" in kind:
            variable.assign(drawn)
        elif "kernel" in kind:
            size = float(np.std(np.asarray(variable)))  # as it was initialised; the same values in every run
            small = size < 0.05 and len(variable.shape) < 4  # BERT's and GPT-2's are as good as none
            variable.assign(drawn / np.sqrt(variable.shape[0]) if small else drawn * size)
    if images is not None:
        layers = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
        for layer in layers:
            layer.momentum = 0.0
        model(images, training=True)
        for layer in layers:
            layer.momentum = 0.99
            # What a batch hardly varies in would be blown up in whatever else comes.
            layer.moving_variance.assign(np.maximum(np.asarray(layer.moving_variance), 0.01))
    return model


def save(model: Any, path: Path) -> Path:
    """Save a model, or only its weights if the name is that of a weights file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of both Keras: HDF5 is legacy, and how Keras 3 hands its arrays to NumPy
        if path.name.endswith("weights.h5"):
            model.save_weights(str(path))
        else:
            model.save(str(path))
    return path


def floats(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ids(limit: int, *shape: int, seed: int = 1, dtype: Any = np.int64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, limit, shape).astype(dtype)
