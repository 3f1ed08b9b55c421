"""DETR and similar models on padded images: masked pixels change nothing, in the model and in the file."""

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
from tfexport.declarations.features import config_factory, model_class

ROWS = (
    ("detr", "image-segmentation"),
    ("conditional-detr", "object-detection"),
    ("table-transformer", "object-detection"),
)


def _padded(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return images of three sizes, padded to the largest at the bottom and on the right, as the image processor does."""
    mask = inputs["pixel_mask"].copy()
    height, width = mask.shape[1:]
    mask[1, height - height // 3 :], mask[1, :, width - 5 :] = 0, 0
    mask[2, height - 7 :], mask[2, :, width // 2 :] = 0, 0
    return {"pixel_values": inputs["pixel_values"] * mask[:, None].astype(np.float32), "pixel_mask": mask}


@pytest.mark.parametrize(("model_type", "feature"), ROWS)
def test_padded_images(model_type: str, feature: str, tmp_path: Path) -> None:
    config = tiny_config(model_type, feature)
    declaration = config_factory(model_type, feature)(config)
    model, backend = tiny_model("pt", model_class(model_type, feature, "pt"), config), get_backend("pt")
    export(None, model, declaration, 18, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for height, width in ((96, 96), (103, 160)):
        made = declaration.generate_dummy_inputs(None, batch_size=3, image_height=height, image_width=width)
        inputs = _padded(dict(made))
        expected = backend.run(model, declaration, inputs)
        whole = backend.run(model, declaration, {**inputs, "pixel_mask": np.ones_like(inputs["pixel_mask"])})
        for name, value in zip(declaration.outputs, session.run(list(declaration.outputs), inputs), strict=True):
            np.testing.assert_allclose(value, expected[name], atol=1e-4)
            assert np.abs(expected[name] - whole[name]).max() > 1e-2  # the mask matters
