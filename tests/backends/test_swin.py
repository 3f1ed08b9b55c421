"""Swin for images of any size: whether windows are shifted depends on the image, as in the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport import export
from tfexport.backends import get_backend
from tfexport.declarations.features import config_factory

CLASSES = {"pt": "SwinModel", "tf": "TFSwinModel"}


def _config(image_size: int) -> Any:
    config = tiny_config("swin")
    config.image_size = image_size
    return config


def _run(framework: str, config: Any, model: Any, height: int, width: int) -> tuple[dict[str, Any], np.ndarray]:
    declaration = config_factory("swin", "default")(config)
    inputs = dict(declaration.generate_dummy_inputs(None, batch_size=3, image_height=height, image_width=width))
    return inputs, get_backend(framework).run(model, declaration, inputs)["last_hidden_state"]


@pytest.mark.parametrize("framework", ["pt", "tf"])
def test_smaller_images_than_the_traced_one_are_not_shifted(framework: Any, tmp_path: Path) -> None:
    """Maps of the last stage are 6 x 6 for 96 pixels, and one window for 64 pixels."""
    config = _config(96)
    declaration = config_factory("swin", "default")(config)
    export(None, tiny_model(framework, CLASSES[framework], config), declaration, 18, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for height, width in ((96, 96), (64, 64), (77, 64), (131, 141)):
        fresh = tiny_model(framework, CLASSES[framework], config)
        inputs, expected = _run(framework, config, fresh, height, width)
        np.testing.assert_allclose(session.run(None, inputs)[0], expected, atol=1e-4)
    assert declaration._caveats_ == ()


def test_a_pytorch_model_still_remembers_the_images_that_it_has_seen() -> None:
    """Fails once SwinLayer of transformers (4.57.6) keeps its shift. Then the caveat can be removed."""
    config = _config(64)
    _, before = _run("pt", config, model := tiny_model("pt", "SwinModel", config), 96, 96)
    _run("pt", config, model, 64, 64)
    _, after = _run("pt", config, model, 96, 96)
    assert np.abs(before - after).max() > 1e-2
    (caveat,) = config_factory("swin", "default")(config)._caveats_
    assert "larger than 64x64 pixels" in caveat
