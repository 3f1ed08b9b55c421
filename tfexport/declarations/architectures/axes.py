"""Named axes, and descriptors that declare inputs and outputs as class attributes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs.sizes import Axes

TEXT = {0: "batch", 1: "sequence"}
ENCODER_TEXT = {0: "batch", 1: "encoder_sequence"}
DECODER_TEXT = {0: "batch", 1: "decoder_sequence"}
ONE_TOKEN = {0: "batch"}
"""Axes of the next token of a decoder with a cache."""
WHOLE_DECODED_TEXT = {0: "batch", 1: "past_decoder_sequence + sequence"}
"""Axes of all tokens of a decoder: those in its cache and the new ones."""
IMAGE = {0: "batch", 2: "height", 3: "width"}
"""Axes of images of any size. The weights fix the number of channels."""
IMAGE_OF_ONE_SIZE = {0: "batch"}
"""Axes of images whose size the model's position embeddings fix."""
AUDIO = {0: "batch", 1: "samples"}
FRAMES = {0: "batch", 1: "frames"}
"""Axes of audio features, one vector every 10 ms."""
PER_SAMPLE = {0: "batch"}
FEATURE_MAP = {0: "batch", 2: "feature_height", 3: "feature_width"}
"""Axes of a map ``(batch, channels, height, width)`` that is smaller than the image."""


class ports:
    """Inputs or outputs that do not depend on the task, as a class attribute.

    Reading the attribute returns a copy, so that a caller who changes it does not change the declaration.

    Args:
        axes: the names in order, each with its axes.
    """

    def __init__(self, **axes: Axes) -> None:
        self.axes = axes

    def __get__(self, config: OnnxConfig | None, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict((name, dict(axes)) for name, axes in self.axes.items())


class text_inputs:
    """Inputs of a text model, as a class attribute.

    Every name has the axes ``(batch, sequence)``, and ``(batch, choice, sequence)`` for multiple choice.

    Args:
        names: the inputs, in order.
        where: the attribute of the configuration that must be positive for an input to exist, by the input's name.
    """

    def __init__(self, *names: str, where: Mapping[str, str] | None = None) -> None:
        self.names = names
        self.where = dict(where or {})

    def __get__(self, config: OnnxConfig | None, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        if config is None:
            return OrderedDict((name, dict(TEXT)) for name in self.names)
        choices = config.task == "multiple-choice"
        axes = {0: "batch", 1: "choice", 2: "sequence"} if choices else TEXT
        return OrderedDict((name, dict(axes)) for name in self.names if self._exists(name, config))

    def _exists(self, name: str, config: OnnxConfig) -> bool:
        return name not in self.where or getattr(config._config, self.where[name], 0) > 0
