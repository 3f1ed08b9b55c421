"""Declarations of models with a key-value cache: decoders, and encoder-decoders.

Past tensors are NumPy arrays before they are any framework's, and layer counts, head counts and head sizes are the
model's own, where ``transformers.onnx`` guesses them (d_kv of T5; encoders and decoders of unequal depth).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np

from tfexport import dummy_inputs
from tfexport.errors import InputsError
from tfexport.onnx_config import OnnxConfig
from tfexport.patching import PatchingSpec

AxesByName = MutableMapping[str, MutableMapping[int, str]]


class OnnxConfigWithPast(OnnxConfig):
    """A declaration whose model may take and return a key-value cache.

    Args:
        use_past: whether the cache is an input and an output.
    """

    def __init__(
        self,
        config: Any,
        task: str = "default",
        patching_specs: list[PatchingSpec] | None = None,
        use_past: bool = False,
    ) -> None:
        super().__init__(config, task=task, patching_specs=patching_specs)
        self.use_past = use_past

    @classmethod
    def with_past(cls, config: Any, task: str = "default") -> OnnxConfigWithPast:
        """The declaration with the cache among its inputs and outputs."""
        return cls(config, task=task, use_past=True)

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs = copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))
        if self.use_past:
            self.fill_with_past_key_values_(outputs, direction="outputs")  # type: ignore[arg-type]
        return outputs

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        return {"use_cache": self.use_past} if hasattr(self._config, "use_cache") else None

    @property
    def num_layers(self) -> Any:
        """Number of layers that hold a cache.

        Raises:
            AttributeError: the configuration does not name it; override this property.
        """
        return self._first_attribute("num_layers", "num_hidden_layers", "n_layer")

    @property
    def num_attention_heads(self) -> Any:
        """Number of attention heads of a layer.

        Raises:
            AttributeError: the configuration does not name it; override this property.
        """
        return self._first_attribute("num_attention_heads", "n_head", "num_heads")

    @property
    def head_size(self) -> int:
        """Width of one head: the model's own (``d_kv``, ``head_dim``), else the hidden size over the heads."""
        for attribute in ("d_kv", "head_dim"):
            size = getattr(self._config, attribute, None)
            if size is not None:
                return int(size)
        heads = self.num_attention_heads
        return int(self._config.hidden_size) // int(heads[-1] if isinstance(heads, tuple) else heads)

    def generate_dummy_inputs(  # type: ignore[override]
        self,
        preprocessor: Any = None,
        batch_size: int = -1,
        seq_length: int = -1,
        is_pair: bool = False,
        framework: Any = None,
        **kwargs: Any,
    ) -> Mapping[str, Any]:
        """As `OnnxConfig.generate_dummy_inputs`; with past, ``past_key_values`` too.

        Returns:
            With past also ``past_key_values``: one (key, value) a layer, each float32
            ``(batch, heads, past, head size)``, and an ``attention_mask`` over past and new tokens.
        """
        inputs = dict(super().generate_dummy_inputs(preprocessor, batch_size, seq_length, is_pair=is_pair, **kwargs))
        if self.use_past:
            batch, sequence = inputs["input_ids"].shape
            self._add_dummy_past(inputs, batch, sequence)
        return dummy_inputs.to_framework(inputs, framework)

    def _add_dummy_past(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        past = sequence + 2  # another length than the new tokens', so that a mixed-up axis shows
        if "attention_mask" in inputs:
            inputs["attention_mask"] = np.ones((batch, past + sequence), np.int64)
        shape = (batch, int(self.num_attention_heads), past, self.head_size)
        inputs["past_key_values"] = _random_past([shape, shape], int(self.num_layers))

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the cache's tensors to a mapping of inputs or outputs, in place.

        Args:
            inputs_or_outputs: the mapping to fill.
            direction: ``"inputs"`` adds ``past_key_values.{i}.key|value``, ``"outputs"`` ``present.{i}.key|value``.
            inverted_values_shape: values grow along axis 1 instead of 2.

        Raises:
            InputsError: another direction.
        """
        name = _cache_name(direction)
        for layer in range(self.num_layers):
            inputs_or_outputs[f"{name}.{layer}.key"] = {0: "batch", 2: "past_sequence + sequence"}
            value_axis = 1 if inverted_values_shape else 2
            inputs_or_outputs[f"{name}.{layer}.value"] = {0: "batch", value_axis: "past_sequence + sequence"}

    def flatten_output_collection_property(self, name: str, field: Iterable[Any]) -> dict[str, Any]:  # type: ignore[override]
        """Flatten a cache to ``{name}.{layer}.key|value``, and any other nested tuple to ``{name}.{index}``."""
        if name not in ("present", "past_key_values"):
            return super().flatten_output_collection_property(name, field)
        flattened: dict[str, Any] = {}
        for layer, tensors in enumerate(field):
            self._flatten_past_key_values_(flattened, name, layer, tensors)
        return flattened

    def _flatten_past_key_values_(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        flattened_output[f"{name}.{idx}.key"] = t[0]
        flattened_output[f"{name}.{idx}.value"] = t[1]

    def _first_attribute(self, *names: str) -> Any:
        for name in names:
            value = getattr(self._config, name, None)
            if value is not None:
                return value
        raise AttributeError(
            f"{type(self._config).__name__} has none of {', '.join(names)}: "
            f"override {names[0]} of {type(self).__name__}."
        )


class OnnxSeq2SeqConfigWithPast(OnnxConfigWithPast):
    """A declaration of an encoder-decoder, whose cache holds the decoder's own and the cross attention's tensors."""

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs = copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))
        for name, axes in outputs.items():
            side = "encoder_sequence" if "encoder" in name else "decoder_sequence"
            outputs[name] = {axis: side if "sequence" in label else label for axis, label in axes.items()}
        if self.use_past:
            self.fill_with_past_key_values_(outputs, direction="outputs")  # type: ignore[arg-type]
        return outputs

    @property
    def num_layers(self) -> tuple[int, int]:
        """Layers of the encoder and of the decoder."""
        decoder = getattr(self._config, "decoder_layers", None) or getattr(self._config, "num_decoder_layers", None)
        encoder = getattr(self._config, "encoder_layers", None) or super().num_layers
        return int(encoder), int(decoder or encoder)

    @property
    def num_attention_heads(self) -> tuple[int, int]:
        """Attention heads of the encoder and of the decoder."""
        encoder = getattr(self._config, "encoder_attention_heads", None) or super().num_attention_heads
        decoder = getattr(self._config, "decoder_attention_heads", None) or encoder
        return int(encoder), int(decoder)

    def _add_dummy_past(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        past = sequence + 3
        if "decoder_attention_mask" in inputs:
            new = inputs["decoder_input_ids"].shape[1]
            inputs["decoder_attention_mask"] = np.ones((batch, past + new), np.int64)
        heads = self.num_attention_heads[1]
        own = (batch, heads, past, self.head_size)
        cross = (batch, heads, sequence, self.head_size)
        # One (decoder key, decoder value, encoder key, encoder value) a decoder layer.
        inputs["past_key_values"] = _random_past([own, own, cross, cross], self.num_layers[1])

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the cache's four tensors of each decoder layer to a mapping of inputs or outputs, in place."""
        name = _cache_name(direction)
        encoder_axis = "past_encoder_sequence"
        decoder_axis = "past_decoder_sequence" if direction == "inputs" else "past_decoder_sequence + sequence"
        value_axis = 1 if inverted_values_shape else 2
        for layer in range(self.num_layers[1]):
            for side, label in (("decoder", decoder_axis), ("encoder", encoder_axis)):
                inputs_or_outputs[f"{name}.{layer}.{side}.key"] = {0: "batch", 2: label}
                inputs_or_outputs[f"{name}.{layer}.{side}.value"] = {0: "batch", value_axis: label}

    def _flatten_past_key_values_(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        for position, part in enumerate(("decoder.key", "decoder.value", "encoder.key", "encoder.value")):
            flattened_output[f"{name}.{idx}.{part}"] = t[position]


def _random_past(shapes: list[tuple[int, ...]], layers: int) -> list[tuple[np.ndarray, ...]]:
    """A cache whose tensors all differ: with zeros, a mixed-up one would validate."""
    random = np.random.default_rng(shapes[0])
    return [tuple(random.normal(size=shape).astype(np.float32) for shape in shapes) for _ in range(layers)]


def _cache_name(direction: str) -> str:
    if direction == "inputs":
        return "past_key_values"
    if direction == "outputs":
        return "present"
    raise InputsError(f'direction is {direction!r}; expected "inputs" or "outputs".')
