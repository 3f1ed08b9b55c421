"""Dummy inputs that accompany an image (masked patches, noise, points), and images of models with a special processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import transformers

from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory


def _made(model_type: str, feature: str, preprocessor: Any = None, **sizes: Any) -> Any:
    return config_factory(model_type, feature)(tiny_config(model_type, feature)).generate_dummy_inputs(
        preprocessor, **sizes
    )


@pytest.mark.parametrize(("model_type", "count"), [("vit", 36), ("deit", 36), ("swin", 256), ("beit", 64)])
def test_some_patches_of_each_image_are_masked(model_type: str, count: int) -> None:
    mask = _made(model_type, "masked-im", batch_size=5)["bool_masked_pos"]
    assert (mask.shape, mask.dtype) == ((5, count), np.bool_)
    assert all(0 < row.sum() < count for row in mask)
    assert len({row.tobytes() for row in mask}) == 5


def test_the_patches_are_those_of_the_image() -> None:
    made = _made("beit", "masked-im", batch_size=2, image_height=80, image_width=67)
    assert made["pixel_values"].shape == (2, 3, 80, 67)
    assert made["bool_masked_pos"].shape == (2, 10 * 8)


def test_the_image_processor_decides_the_number_of_patches() -> None:
    processor = transformers.ViTImageProcessor(size={"height": 64, "width": 40})
    made = _made("vit", "masked-im", processor)
    assert made["pixel_values"].shape == (2, 3, 64, 40)
    assert made["bool_masked_pos"].shape == (2, 8 * 5)


def test_noise_chooses_patches() -> None:
    noise = _made("vit-mae", "pretraining", batch_size=3)["noise"]
    assert (noise.shape, noise.dtype) == ((3, 36), np.float32)
    assert noise.min() >= 0
    assert noise.max() < 1
    assert all(len(set(row)) == 36 for row in noise)  # all patches have different noise


def test_points_are_in_the_image() -> None:
    for batch in (1, 2, 3, 5):
        made = _made("sam", "mask-generation", batch_size=batch)
        points, labels = made["input_points"], made["input_labels"]
        assert points.shape == (*labels.shape, 2)
        assert labels.shape[0] == batch
        assert (points.dtype, labels.dtype) == (np.float32, np.int64)
        assert points.min() >= 0
        assert points.max() < 64
        assert set(labels.ravel()) <= {-1, 0, 1}
        assert (labels[..., 0] == 1).all()  # each set has a point of the object


def test_both_numbers_of_points_vary() -> None:
    shapes = [_made("sam", "mask-generation", batch_size=batch)["input_labels"].shape for batch in (1, 2, 3, 5)]
    assert len({shape[1] for shape in shapes}) > 1
    assert len({shape[2] for shape in shapes}) > 1


def test_the_processor_of_segment_anything() -> None:
    """The image processor of SAM has a longest edge, and pads to the square in the configuration."""
    image = transformers.SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    expected = image(picture, return_tensors="np")["pixel_values"]
    for preprocessor in (image, transformers.SamProcessor(image)):
        made = _made("sam", "mask-generation", preprocessor)
        assert made["pixel_values"].shape[1:] == np.shape(expected)[1:]
        assert made["input_points"].max() < 64


@pytest.mark.parametrize("name", ["DetrImageProcessor", "ConditionalDetrImageProcessor"])
def test_the_mask_has_the_images_size(name: str) -> None:
    processor = getattr(transformers, name)(size={"shortest_edge": 96, "longest_edge": 160})
    made = _made("detr", "default", processor)
    assert made["pixel_values"].shape == (2, 3, 96, 96)
    assert made["pixel_mask"].shape == (2, 96, 96)
    assert (made["pixel_mask"] == 1).all()


def test_imagegpt_reads_colours_as_tokens() -> None:
    clusters = np.random.default_rng(0).uniform(-1, 1, (64, 3))
    processor = transformers.ImageGPTImageProcessor(clusters=clusters, size={"height": 4, "width": 4})
    for preprocessor in (None, processor):
        made = _made("imagegpt", "default", preprocessor, seq_length=16)
        assert list(made) == ["input_ids"]
        assert made["input_ids"].shape == (2, 16)
        assert made["input_ids"].dtype == np.int64
        assert made["input_ids"].min() >= 0
        assert made["input_ids"].max() < 65
