"""Models that find objects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tfexport.declarations.architectures.axes import FEATURE_MAP, IMAGE, PER_SAMPLE, TEXT, ports
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs.sizes import Axes

PIXEL_MASK = {0: "batch", 1: "height", 2: "width"}

_OBJECTS: Mapping[str, Mapping[str, Axes]] = {
    # One row per query of the model. The weights fix the number of queries.
    "default": {"last_hidden_state": PER_SAMPLE},
    "object-detection": {"logits": PER_SAMPLE, "pred_boxes": PER_SAMPLE},
    "image-segmentation": {"logits": PER_SAMPLE, "pred_boxes": PER_SAMPLE, "pred_masks": FEATURE_MAP},
}


class _QueriesConfig(OnnxConfig):
    """A model that looks for a fixed number of objects."""

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict((name, dict(axes)) for name, axes in _OBJECTS[self.task].items())


@register("conditional-detr", "default", "object-detection")
class ConditionalDetrOnnxConfig(_QueriesConfig):
    """Conditional DETR: DETR with queries that depend on a position."""

    inputs = ports(pixel_values=IMAGE, pixel_mask=PIXEL_MASK)


@register("detr", "default", "object-detection", "image-segmentation")
class DetrOnnxConfig(_QueriesConfig):
    """DETR: a transformer that finds a set of objects in the feature map of a convolutional network."""

    inputs = ports(pixel_values=IMAGE, pixel_mask=PIXEL_MASK)


@register("table-transformer", "default", "object-detection")
class TableTransformerOnnxConfig(_QueriesConfig):
    """Table Transformer: DETR for tables in documents."""

    inputs = ports(pixel_values=IMAGE, pixel_mask=PIXEL_MASK)


@register("yolos", "default", "object-detection")
class YolosOnnxConfig(_QueriesConfig):
    """YOLOS: ViT with detection tokens. Its position embeddings are interpolated to the image's size."""

    inputs = ports(pixel_values=IMAGE)

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict(last_hidden_state=dict(TEXT)) if self.task == "default" else super().outputs
