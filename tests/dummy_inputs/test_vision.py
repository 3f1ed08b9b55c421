"""Dummy images have the size and the range of the image processor, else of the configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import transformers

from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory
from tfexport.dummy_inputs import image_size

PICTURE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)

PROCESSORS: dict[str, tuple[Any, str]] = {
    "convnext": (transformers.ConvNextImageProcessor(size={"shortest_edge": 48}), "convnext"),
    "convnext, not cropped": (transformers.ConvNextImageProcessor(size={"shortest_edge": 384}), "convnext"),
    "efficientnet": (transformers.EfficientNetImageProcessor(size={"height": 48, "width": 56}), "efficientnet"),
    "levit": (
        transformers.LevitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 48}),
        "levit",
    ),
    "mobilenet": (
        transformers.MobileNetV2ImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 48}),
        "mobilenet-v2",
    ),
    "mobilevit, which has no mean": (
        transformers.MobileViTImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 48}),
        "mobilevit",
    ),
    "poolformer": (
        transformers.PoolFormerImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 48}),
        "poolformer",
    ),
    "pvt": (transformers.PvtImageProcessor(size={"height": 48, "width": 56}), "pvt"),
    "segformer": (transformers.SegformerImageProcessor(size={"height": 48, "width": 56}), "segformer"),
    "vit": (transformers.ViTImageProcessor(size={"height": 48, "width": 56}), "resnet"),
    "vit, not normalised": (
        transformers.ViTImageProcessor(size={"height": 48, "width": 56}, do_normalize=False),
        "resnet",
    ),
    "vit, not rescaled": (transformers.ViTImageProcessor(size={"height": 48, "width": 56}, do_rescale=False), "resnet"),
}


def _images(model_type: str, preprocessor: Any, **sizes: Any) -> np.ndarray:
    declaration = config_factory(model_type, "default")(tiny_config(model_type))
    made = declaration.generate_dummy_inputs(preprocessor, **sizes)["pixel_values"]
    assert made.dtype == np.float32
    return np.asarray(made)


@pytest.mark.parametrize(("processor", "model_type"), PROCESSORS.values(), ids=PROCESSORS)
def test_an_image_is_as_the_image_processor_makes_it(processor: Any, model_type: str) -> None:
    expected = np.asarray(processor(PICTURE, return_tensors="np")["pixel_values"])
    made = _images(model_type, processor)
    assert made.shape == (2, *expected.shape[1:])
    if model_type != "efficientnet":  # it divides by the deviation twice
        for made_channel, channel in zip(made[0], expected[0], strict=True):
            assert made_channel.min() == pytest.approx(channel.min(), abs=0.3 * float(np.ptp(channel)))
            assert made_channel.max() == pytest.approx(channel.max(), abs=0.3 * float(np.ptp(channel)))


def test_the_part_of_a_processor_of_several_counts() -> None:
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 48}, crop_size={"height": 48, "width": 56})

    class Several:
        def __init__(self) -> None:
            self.image_processor = images

    assert image_size(tiny_config("resnet"), Several()) == (48, 56)


def test_without_a_preprocessor_the_configuration_counts() -> None:
    config = tiny_config("resnet")
    assert image_size(config, None) == (64, 64)
    assert _images("resnet", None).shape == (2, 3, 64, 64)
    config.image_size = [48, 56]
    assert image_size(config, None) == (48, 56)
    assert image_size(transformers.ResNetConfig(), None) == (224, 224)


def test_without_a_preprocessor_values_are_from_minus_one_to_one() -> None:
    made = _images("resnet", None)
    assert made.min() == -1
    assert made.max() == 1


def test_channels_are_the_configurations() -> None:
    config = tiny_config("resnet")
    config.num_channels = 4
    made = config_factory("resnet", "default")(config).generate_dummy_inputs(None)
    assert made["pixel_values"].shape == (2, 4, 64, 64)


def test_a_requested_size_counts_most() -> None:
    processor = PROCESSORS["vit"][0]
    made = _images("resnet", processor, batch_size=3, image_height=40, image_width=72, num_channels=3)
    assert made.shape == (3, 3, 40, 72)


def test_two_images_differ_and_one_shape_has_one_value() -> None:
    first, again, larger = _images("resnet", None), _images("resnet", None), _images("resnet", None, image_height=96)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[..., :8], larger[:, :, :64, :8])
