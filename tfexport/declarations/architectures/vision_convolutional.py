"""Vision models with convolutions, and with convolutions and attention."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

from tfexport.declarations.architectures.axes import FEATURE_MAP, IMAGE, IMAGE_OF_ONE_SIZE, PER_SAMPLE, ports
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs.sizes import Axes


class _VisionConfig(OnnxConfig):
    """A model whose base returns `hidden`, and whose heads return logits for an image or for each position of a map."""

    hidden: ClassVar[Mapping[str, Axes]] = {"last_hidden_state": FEATURE_MAP}

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        logits = FEATURE_MAP if self.task == "semantic-segmentation" else PER_SAMPLE
        outputs = self.hidden if self.task == "default" else {"logits": logits}
        return OrderedDict((name, dict(axes)) for name, axes in outputs.items())


_WITH_POOLER = {"last_hidden_state": FEATURE_MAP, "pooler_output": PER_SAMPLE}
_OF_ONE_SIZE = {"last_hidden_state": PER_SAMPLE}


@register("convnext", "default", "image-classification")
class ConvNextOnnxConfig(_VisionConfig):
    """ConvNeXT: large depthwise convolutions."""

    inputs = ports(pixel_values=IMAGE)


@register("convnextv2", "default", "image-classification")
class ConvNextV2OnnxConfig(_VisionConfig):
    """ConvNeXT v2: ConvNeXT with global response normalisation."""

    inputs = ports(pixel_values=IMAGE)


@register("cvt", "default", "image-classification")
class CvtOnnxConfig(_VisionConfig):
    """CvT: attention whose projections are convolutions."""

    inputs = ports(pixel_values=IMAGE)

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs = OrderedDict(super().outputs)
        if self.task == "default" and self._config.cls_token[-1]:
            outputs["cls_token_value"] = PER_SAMPLE  # it is not a position of the map
        return outputs


@register("efficientformer", "default", "image-classification")
class EfficientFormerOnnxConfig(_VisionConfig):
    """EfficientFormer: pooling, then attention with biases for a map of a fixed size."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    hidden = _OF_ONE_SIZE


@register("efficientnet", "default", "image-classification")
class EfficientNetOnnxConfig(_VisionConfig):
    """EfficientNet: inverted bottlenecks with squeeze and excitation."""

    inputs = ports(pixel_values=IMAGE)


@register("levit", "default", "image-classification")
class LevitOnnxConfig(_VisionConfig):
    """LeViT: convolutions, then attention with biases for a map of a fixed size."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    hidden = _OF_ONE_SIZE


@register("mobilenet-v1", "default", "image-classification")
class MobileNetV1OnnxConfig(_VisionConfig):
    """MobileNet: depthwise separable convolutions."""

    inputs = ports(pixel_values=IMAGE)
    hidden = _WITH_POOLER


@register("mobilenet-v2", "default", "image-classification", "semantic-segmentation")
class MobileNetV2OnnxConfig(_VisionConfig):
    """MobileNet v2: inverted residuals."""

    inputs = ports(pixel_values=IMAGE)
    hidden = _WITH_POOLER


@register("mobilevit", "default", "image-classification", "semantic-segmentation")
class MobileViTOnnxConfig(_VisionConfig):
    """MobileViT: inverted residuals, and attention between patches of their feature maps."""

    inputs = ports(pixel_values=IMAGE)
    hidden = _WITH_POOLER


@register("mobilevitv2", "default", "image-classification", "semantic-segmentation")
class MobileViTV2OnnxConfig(_VisionConfig):
    """MobileViT v2: MobileViT with attention at linear cost."""

    inputs = ports(pixel_values=IMAGE)
    hidden = _WITH_POOLER


@register("poolformer", "default", "image-classification")
class PoolFormerOnnxConfig(_VisionConfig):
    """PoolFormer: a transformer with pooling in place of attention."""

    inputs = ports(pixel_values=IMAGE)


@register("pvt", "default", "image-classification")
class PvtOnnxConfig(_VisionConfig):
    """PVT: a pyramid of transformers, with positions for images of a fixed size."""

    inputs = ports(pixel_values=IMAGE_OF_ONE_SIZE)
    hidden = _OF_ONE_SIZE


@register("regnet", "default", "image-classification")
class RegNetOnnxConfig(_VisionConfig):
    """RegNet: bottlenecks with grouped convolutions."""

    inputs = ports(pixel_values=IMAGE)


@register("resnet", "default", "image-classification")
class ResNetOnnxConfig(_VisionConfig):
    """ResNet."""

    inputs = ports(pixel_values=IMAGE)


@register("segformer", "default", "image-classification", "semantic-segmentation")
class SegformerOnnxConfig(_VisionConfig):
    """SegFormer: a pyramid of transformers without positions."""

    inputs = ports(pixel_values=IMAGE)


@register("swiftformer", "default", "image-classification")
class SwiftFormerOnnxConfig(_VisionConfig):
    """SwiftFormer: convolutions and additive attention."""

    inputs = ports(pixel_values=IMAGE)
