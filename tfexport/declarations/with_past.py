"""Declarations of models with a key-value cache: decoders, and encoder-decoders.

Past tensors are NumPy arrays before they are any framework's, and layer counts, head counts and head sizes are the
model's own, where ``transformers.onnx`` guesses them (d_kv of T5; encoders and decoders of unequal depth).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Self

import numpy as np

from tfexport.declarations.framework_tensors import to_framework
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.patching import PatchingSpec
from tfexport.errors import InputsError

AxesByName = MutableMapping[str, MutableMapping[int, str]]

_LAYERS = ("num_layers", "num_hidden_layers", "n_layer")
_HEADS = ("num_attention_heads", "n_head", "num_heads")
_HEAD_SIZES = ("d_kv", "head_dim")
_CACHES_ITS_OWN_ALONE = ("gpt2",)

PAST_SEQUENCE = "past_sequence"
WHOLE_SEQUENCE = "past_sequence + sequence"


class OnnxConfigWithPast(OnnxConfig):
    """A declaration whose model may take and return a key-value cache.

    Args:
        use_past: whether the cache is an input and an output.
    """

    takes_position_ids = False
    """Whether the model is told where its tokens stand (``position_ids``); others count them by the mask, or the cache."""

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

    def without_past(self: Self) -> Self:
        """The same declaration without the cache."""
        return type(self)(self._config, task=self.task, patching_specs=self._patching_specs)

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
        return _first_attribute(self._config, *_LAYERS, of=type(self))

    @property
    def num_attention_heads(self) -> Any:
        """Number of attention heads of a layer.

        Raises:
            AttributeError: the configuration does not name it; override this property.
        """
        return _first_attribute(self._config, *_HEADS, of=type(self))

    @property
    def num_cache_heads(self) -> int:
        """Heads of a cached tensor: fewer than those of attention where several share a key and a value."""
        return int(getattr(self._config, "num_key_value_heads", None) or self.num_attention_heads)

    @property
    def head_size(self) -> int:
        """Width of one head: the model's own (``d_kv``, ``head_dim``), else the hidden size over the heads."""
        return _head_size(self._config, int(self.num_attention_heads))

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
            batch, sequence = next(iter(inputs.values())).shape[:2]
            if "input_ids" not in inputs:  # images or sound
                sequence = seq_length if seq_length > 0 else self.default_sequence_length
            self._add_dummy_past(inputs, batch, sequence)
            order = list(dict.fromkeys(name.split(".")[0] for name in self.inputs))
            inputs = {name: inputs[name] for name in (*(n for n in order if n in inputs), *inputs)}
        return to_framework(inputs, framework)

    def _add_dummy_past(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        past = sequence + 2  # another length than the new tokens', so that a mixed-up axis shows
        if "attention_mask" in inputs:
            inputs["attention_mask"] = np.ones((batch, past + sequence), np.int64)
        if "position_ids" in inputs:
            inputs["position_ids"] = np.broadcast_to(np.arange(past, past + sequence), (batch, sequence)).copy()
        shape = (batch, self.num_cache_heads, past, self.head_size)
        inputs["past_key_values"] = random_past([shape, shape], _last(self.num_layers))

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the cache's tensors to a mapping of inputs or outputs, in place.

        The past is as long as ``past_sequence``, what is returned as long as ``past_sequence + sequence``. (The seed
        gives both the second name; ONNX Runtime plans memory by names, and may fail where one stands for two lengths.)

        Args:
            inputs_or_outputs: the mapping to fill.
            direction: ``"inputs"`` adds ``past_key_values.{i}.key|value``, ``"outputs"`` ``present.{i}.key|value``.
            inverted_values_shape: values grow along axis 1 instead of 2.

        Raises:
            InputsError: another direction.
        """
        name = _cache_name(direction)
        length = PAST_SEQUENCE if direction == "inputs" else WHOLE_SEQUENCE
        value_axis = 1 if inverted_values_shape else 2
        for layer in range(self.num_layers):
            inputs_or_outputs[f"{name}.{layer}.key"] = {0: "batch", 2: length}
            inputs_or_outputs[f"{name}.{layer}.value"] = {0: "batch", value_axis: length}

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


class OnnxSeq2SeqConfigWithPast(OnnxConfigWithPast):
    """A declaration of an encoder-decoder, whose cache holds the decoder's own and the cross attention's tensors."""

    encoder_states: Mapping[int, str] = {0: "batch", 1: "encoder_sequence"}
    """Named axes of what the encoder makes, ``(batch, encoder sequence, width)``."""
    exported_in_parts = True
    """Whether a model that generates is exported as the separate files of an encoder and its decoders."""

    @property
    def decoder_alone(self) -> bool:
        """Whether the task is one of the decoder, or of the encoder, on its own: ids, a mask, and a plain decoder's cache."""
        return False

    @property
    def encoder_config(self) -> Any:
        """The configuration of the encoder: a part of it in a model that was put together of two."""
        return getattr(self._config, "encoder", self._config)

    @property
    def decoder_config(self) -> Any:
        """The configuration of the decoder: a part of it in a model that was put together of two."""
        return getattr(self._config, "decoder", self._config)

    @property
    def caches_cross_attention(self) -> bool:
        """Whether the keys and values of the cross attention are in the cache, so that later steps need no encoder states.

        GPT-2 as a decoder caches its own alone in TensorFlow.
        """
        return self.decoder_config.model_type not in _CACHES_ITS_OWN_ALONE

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        if self.decoder_alone:
            return super().outputs
        outputs = copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))
        for name, axes in outputs.items():
            side = "encoder_sequence" if "encoder" in name else "decoder_sequence"
            outputs[name] = {axis: side if "sequence" in label else label for axis, label in axes.items()}
        if self.use_past:
            self.fill_with_past_key_values_(outputs, direction="outputs")  # type: ignore[arg-type]
        return outputs

    @property
    def decoder_reads_encoder_mask(self) -> bool:
        """Whether the decoder is told which of the encoder's states are padding."""
        return "attention_mask" in self.inputs

    @property
    def encoder_width(self) -> int:
        """Width of what the encoder makes."""
        return int(self.encoder_config.hidden_size)

    @property
    def num_layers(self) -> tuple[int, int]:
        """Layers of the encoder and of the decoder."""
        encoder = _first_attribute(self.encoder_config, "encoder_layers", *_LAYERS)
        decoder = _first_attribute(self.decoder_config, "decoder_layers", "num_decoder_layers", *_LAYERS)
        return int(encoder), int(decoder)

    @property
    def num_attention_heads(self) -> tuple[int, int]:
        """Attention heads of the encoder and of the decoder."""
        encoder = _first_attribute(self.encoder_config, "encoder_attention_heads", *_HEADS)
        decoder = _first_attribute(self.decoder_config, "decoder_attention_heads", *_HEADS)
        return int(encoder), int(decoder)

    @property
    def num_cache_heads(self) -> int:
        # Configurations of one class for both sides call the encoder's heads num_key_value_heads (Whisper, transformers 4.57).
        own = None if self.decoder_config is self._config else getattr(self.decoder_config, "num_key_value_heads", None)
        return int(own or self.num_attention_heads[1])

    @property
    def head_size(self) -> int:
        """Width of one head of the decoder."""
        return _head_size(self.decoder_config, self.num_attention_heads[1])

    def encoder_length(self, inputs: Mapping[str, Any]) -> int | None:
        """Length of what the encoder makes of dummy inputs; None where only the model can tell."""
        return int(inputs["input_ids"].shape[1])

    def random_cache(self, batch: int, past: int, encoder_length: int) -> list[tuple[np.ndarray, ...]]:
        """A cache of random numbers: one (key, value) of the decoder a layer, and of the cross attention where it is cached.

        Returns:
            float32 ``(batch, heads, past, head size)``, and ``(batch, heads, encoder length, head size)``.
        """
        own = (batch, self.num_cache_heads, past, self.head_size)
        cross = (batch, self.num_cache_heads, encoder_length, self.head_size)
        return random_past([own, own, cross, cross] if self.caches_cross_attention else [own, own], self.num_layers[1])

    def _add_dummy_past(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        if self.decoder_alone:
            super()._add_dummy_past(inputs, batch, sequence)
            return
        past = sequence + 3
        if "decoder_attention_mask" in inputs:
            new = inputs["decoder_input_ids"].shape[1]
            inputs["decoder_attention_mask"] = np.ones((batch, past + new), np.int64)
        inputs["past_key_values"] = self.random_cache(batch, past, self.encoder_length(inputs) or 1)

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the cache's four tensors of each decoder layer to a mapping of inputs or outputs, in place.

        They are ``{layer}.decoder.key|value`` and ``{layer}.encoder.key|value``; ``{layer}.key|value`` where the cross
        attention is not cached.
        """
        name = _cache_name(direction)
        decoder_axis = "past_decoder_sequence" if direction == "inputs" else "past_decoder_sequence + sequence"
        value_axis = 1 if inverted_values_shape else 2
        sides = {"decoder.": decoder_axis, "encoder.": "past_encoder_sequence"}
        if self.decoder_alone:
            sides = {"": PAST_SEQUENCE if direction == "inputs" else WHOLE_SEQUENCE}
        elif not self.caches_cross_attention:
            sides = {"": decoder_axis}
        for layer in range(self.num_layers[1]):
            for side, label in sides.items():
                inputs_or_outputs[f"{name}.{layer}.{side}key"] = {0: "batch", 2: label}
                inputs_or_outputs[f"{name}.{layer}.{side}value"] = {0: "batch", value_axis: label}

    def _flatten_past_key_values_(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        if self.decoder_alone or not self.caches_cross_attention:
            super()._flatten_past_key_values_(flattened_output, name, idx, t)
            return
        parts = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
        for part, tensor in zip(parts, t, strict=False):  # the step that reads a cache may leave the encoder's out
            flattened_output[f"{name}.{idx}.{part}"] = tensor


def _first_attribute(config: Any, *names: str, of: type | None = None) -> Any:
    for name in names:
        value = getattr(config, name, None)
        if value is not None:
            return value
    declared = "its declaration" if of is None else of.__name__
    raise AttributeError(f"{type(config).__name__} has none of {', '.join(names)}: override {names[0]} of {declared}.")


def _head_size(config: Any, heads: int) -> int:
    own = next((size for name in _HEAD_SIZES if (size := getattr(config, name, None)) is not None), None)
    return int(config.hidden_size) // heads if own is None else int(own)


def _last(number: Any) -> int:
    """The decoder's of two numbers."""
    return int(number[-1] if isinstance(number, tuple) else number)


def random_past(shapes: Sequence[tuple[int, ...]], layers: int) -> list[tuple[np.ndarray, ...]]:
    """A cache whose tensors all differ: with zeros, a mixed-up one would validate."""
    random = np.random.default_rng([length for shape in shapes for length in shape])
    return [tuple(random.normal(size=shape).astype(np.float32) for shape in shapes) for _ in range(layers)]


def _cache_name(direction: str) -> str:
    if direction == "inputs":
        return "past_key_values"
    if direction == "outputs":
        return "present"
    raise InputsError(f'direction is {direction!r}; expected "inputs" or "outputs".')
