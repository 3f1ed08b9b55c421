"""Vision transformers, and Segment Anything."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from tfexport.declarations.architectures.axes import IMAGE, IMAGE_OF_ONE_SIZE, PER_SAMPLE, TEXT, ports
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.model_facts import ModelFacts
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import InputRules
from tfexport.dummy_inputs.sizes import Axes

PER_PATCH = {0: "batch", 1: "patches"}


class _images:
    """Images as a class attribute, and for masked image modelling also the mask of the patches.

    Args:
        axes: the axes of the images.
        one_size_for: tasks whose head accepts only images of one size.
    """

    def __init__(self, axes: Axes, one_size_for: tuple[str, ...] = ()) -> None:
        self.axes = axes
        self.one_size_for = one_size_for

    def __get__(self, config: OnnxConfig | None, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        task = "default" if config is None else config.task
        axes = IMAGE_OF_ONE_SIZE if task in self.one_size_for else self.axes
        inputs = OrderedDict(pixel_values=dict(axes))
        if task == "masked-im":  # images of one size all have the same number of patches
            inputs["bool_masked_pos"] = dict(PER_PATCH if axes == IMAGE else PER_SAMPLE)
        return inputs


class _PatchesConfig(OnnxConfig):
    """A model that reads an image as a sequence of patches. Images of a fixed size have a fixed number of patches."""

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        any_size = self.inputs["pixel_values"] == IMAGE
        if self.task == "default":
            return OrderedDict(last_hidden_state=dict(TEXT if any_size else PER_SAMPLE))
        if self.task == "masked-im":
            return OrderedDict(reconstruction=dict(PER_SAMPLE))
        return OrderedDict(logits=dict(PER_SAMPLE))


@register(
    "beit",
    "default",
    "image-classification",
    "semantic-segmentation",
    "masked-im",
    classes={"masked-im": {"pt": ("BeitForMaskedImageModeling",)}},
)
class BeitOnnxConfig(_PatchesConfig):
    """BEiT: trained to predict the visual words of masked patches. Positions are interpolated to the image's size."""

    inputs = _images(IMAGE, one_size_for=("semantic-segmentation",))

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        # Its masked-im head returns one word per patch, not pixels.
        return OrderedDict(logits=dict(PER_PATCH)) if self.task == "masked-im" else super().outputs


@register("data2vec-vision", "default", "image-classification", "semantic-segmentation")
class Data2VecVisionOnnxConfig(_PatchesConfig):
    """data2vec for images: BEiT trained on latent targets."""

    inputs = _images(IMAGE_OF_ONE_SIZE)


@register("deit", "default", "image-classification", "masked-im")
class DeiTOnnxConfig(_PatchesConfig):
    """DeiT: ViT with a distillation token."""

    inputs = _images(IMAGE_OF_ONE_SIZE)


@register("dinov2", "default", "image-classification")
class Dinov2OnnxConfig(_PatchesConfig):
    """DINOv2: ViT with position embeddings that are interpolated to the image's size."""

    inputs = _images(IMAGE)


@register("imagegpt", "default", "image-classification")
class ImageGPTOnnxConfig(OnnxConfig):
    """ImageGPT: GPT-2 over the colours of an image, with one token per pixel."""

    inputs = ports(input_ids=TEXT)

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict(logits=dict(PER_SAMPLE)) if self.task == "image-classification" else super().outputs

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        # transformers 4.57.6 adds to the length of the cache also where the cache is absent, and fails then.
        return {"use_cache": True}


@register("swin", "default", "image-classification", "masked-im")
class SwinOnnxConfig(_PatchesConfig):
    """Swin: attention in shifted windows, over maps that shrink. Its masked-im head returns a square image."""

    inputs = _images(IMAGE, one_size_for=("masked-im",))

    @property
    def _caveats_(self) -> tuple[str, ...]:
        config = self._config
        height, width = _sides(config.image_size)
        patch_height, patch_width = _sides(config.patch_size)
        shrunk = 2 ** (len(config.depths) - 1)
        smallest = min(height // patch_height, width // patch_width) // shrunk
        if self.task == "masked-im" or smallest > config.window_size:
            return ()
        # transformers' SwinLayer.set_shift_and_window_size writes a shift of 0 into the PyTorch model and never resets it.
        return (
            f"does not shift the last windows of images larger than {height}x{width} pixels, like the TensorFlow model. The "
            "PyTorch model shifts them until it reads its first image of that size, and not after it.",
        )


def _sides(size: Any) -> tuple[int, int]:
    """Return height and width. A configuration has one number where they are equal."""
    height, width = size if isinstance(size, Iterable) else (size, size)
    return int(height), int(width)


@register("vit", "default", "image-classification", "masked-im")
class ViTOnnxConfig(_PatchesConfig):
    """ViT."""

    inputs = _images(IMAGE_OF_ONE_SIZE)


# It sorts the noise, and equal numbers have no order.
@register("vit-mae", "default", "pretraining", facts=ModelFacts(InputRules(distinct_values=("noise",))))
class ViTMAEOnnxConfig(_PatchesConfig):
    """ViTMAE: an encoder of a few patches, selected by noise, and a decoder that reconstructs the others.

    The model draws the noise at random. In the file it is an input, so that the outputs depend only on the inputs. The patches
    with the least noise are kept: ascending noise keeps the first ones.
    """

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE, noise=PER_SAMPLE)


_POINTS = {0: "batch", 1: "point_batch", 2: "points"}
_PER_POINTS = {0: "batch", 1: "point_batch"}


@register("sam", "mask-generation")
class SamOnnxConfig(OnnxConfig):
    """Segment Anything: masks of the objects at given points, three per set of points."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE, input_points=_POINTS, input_labels=_POINTS)
    outputs = ports(iou_scores=_PER_POINTS, pred_masks=_PER_POINTS)


@register("sam-vision-model", "default")
class SamVisionOnnxConfig(OnnxConfig):
    """The image encoder of Segment Anything: a feature map of a fixed size."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    outputs = ports(last_hidden_state=PER_SAMPLE)
