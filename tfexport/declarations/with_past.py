"""Declarations of models with a key-value cache: decoders and encoder-decoders.

Past tensors are made as NumPy arrays, then converted to a framework's. The numbers of layers and heads and the head size are
the model's own. ``transformers.onnx`` guesses them wrongly for T5's ``d_kv``, and for encoders and decoders of unequal depth.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tfexport.declarations.framework_tensors import to_framework
from tfexport.declarations.model_facts import facts_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.errors import InputsError
from tfexport.processes.patching import PatchingSpec

AxesByName = MutableMapping[str, MutableMapping[int, str]]
WithPast = TypeVar("WithPast", bound="OnnxConfigWithPast")

_LAYERS = ("num_layers", "num_hidden_layers", "n_layer")
_HEADS = ("num_attention_heads", "n_head", "num_heads")
_HEAD_SIZES = ("d_kv", "head_dim")

PAST_SEQUENCE = "past_sequence"
WHOLE_SEQUENCE = "past_sequence + sequence"


class OnnxConfigWithPast(OnnxConfig):
    """Declaration of a model that can take and return a key-value cache.

    Args:
        config: the model's configuration.
        task: the task.
        patching_specs: attributes to replace while the model is traced.
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
        """Return the declaration of a model's configuration, with the cache among its inputs and outputs."""
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
            AttributeError: the configuration does not name it. Override this property.
        """
        return _first_attribute(self._config, *_LAYERS, of=type(self))

    @property
    def num_attention_heads(self) -> Any:
        """Number of attention heads per layer.

        Raises:
            AttributeError: the configuration does not name it. Override this property.
        """
        return _first_attribute(self._config, *_HEADS, of=type(self))

    @property
    def _num_cache_heads_(self) -> int:
        """Number of heads of a cached tensor: smaller than that of attention where heads share a key and a value."""
        return int(getattr(self._config, "num_key_value_heads", None) or self.num_attention_heads)

    @property
    def _head_size_(self) -> int:
        """Width of one head: the configuration's (``d_kv``, ``head_dim``), else the hidden size divided by the heads."""
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
        """Return the inputs of `OnnxConfig.generate_dummy_inputs`, and with past also the cache.

        Returns:
            With past also ``past_key_values``: one (key, value) per layer, each float32 ``(batch, heads, past, head size)``.
            The ``attention_mask`` then covers past and new tokens.
        """
        inputs = dict(super().generate_dummy_inputs(preprocessor, batch_size, seq_length, is_pair=is_pair, **kwargs))
        if self.use_past:
            batch, sequence = next(iter(inputs.values())).shape[:2]
            if "input_ids" not in inputs:  # images or sound
                sequence = seq_length if seq_length > 0 else self.default_sequence_length
            self._add_dummy_past_(inputs, batch, sequence)
            order = list(dict.fromkeys(name.split(".")[0] for name in self.inputs))
            inputs = {name: inputs[name] for name in (*(n for n in order if n in inputs), *inputs)}
        return to_framework(inputs, framework)

    def _add_dummy_past_(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        past = sequence + 2  # differs from the number of new tokens, so that a swapped axis shows
        if "attention_mask" in inputs:
            inputs["attention_mask"] = np.ones((batch, past + sequence), np.int64)
        if "position_ids" in inputs:
            inputs["position_ids"] = np.broadcast_to(np.arange(past, past + sequence), (batch, sequence)).copy()
        shape = (batch, self._num_cache_heads_, past, self._head_size_)
        inputs["past_key_values"] = random_past([shape, shape], _last(self.num_layers))

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the cache's tensors to a mapping of inputs or outputs, in place.

        The past has the length ``past_sequence``, the returned cache ``past_sequence + sequence``. ``transformers.onnx`` uses
        the second name for both. ONNX Runtime plans memory by names and can fail where one name stands for two lengths.

        Args:
            inputs_or_outputs: the mapping to fill.
            direction: ``"inputs"`` adds ``past_key_values.{i}.key|value``, ``"outputs"`` ``present.{i}.key|value``.
            inverted_values_shape: whether values grow along axis 1 instead of 2.

        Raises:
            InputsError: the direction is neither of the two.
        """
        name = _cache_name(direction)
        length = PAST_SEQUENCE if direction == "inputs" else WHOLE_SEQUENCE
        value_axis = 1 if inverted_values_shape else 2
        for layer in range(self.num_layers):
            inputs_or_outputs[f"{name}.{layer}.key"] = {0: "batch", 2: length}
            inputs_or_outputs[f"{name}.{layer}.value"] = {0: "batch", value_axis: length}

    def flatten_output_collection_property(self, name: str, field: Iterable[Any]) -> dict[str, Any]:  # type: ignore[override]
        """Flatten a cache to ``{name}.{layer}.key|value``, and every other nested tuple to ``{name}.{index}``."""
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
    """Declaration of an encoder-decoder. Its cache holds the tensors of the decoder's self-attention and cross attention."""

    _encoder_states_: Mapping[int, str] = {0: "batch", 1: "encoder_sequence"}
    """Named axes of the encoder's output ``(batch, encoder sequence, width)``."""
    _exported_in_parts_ = True
    """Whether a model that generates is exported as separate files of an encoder and its decoders."""

    @property
    def _one_side_only_(self) -> bool:
        """Whether the task uses only the decoder or only the encoder: ids, a mask, and the cache of a decoder-only model."""
        return False

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        if self._one_side_only_:
            return super().outputs
        outputs = copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))
        for name, axes in outputs.items():
            side = "encoder_sequence" if "encoder" in name else "decoder_sequence"
            outputs[name] = {axis: side if "sequence" in label else label for axis, label in axes.items()}
        if self.use_past:
            self.fill_with_past_key_values_(outputs, direction="outputs")  # type: ignore[arg-type]
        return outputs

    @property
    def num_layers(self) -> tuple[int, int]:
        """Numbers of layers of the encoder and of the decoder."""
        encoder = _first_attribute(encoder_config(self._config), "encoder_layers", *_LAYERS)
        decoder = _first_attribute(decoder_config(self._config), "decoder_layers", "num_decoder_layers", *_LAYERS)
        return int(encoder), int(decoder)

    @property
    def num_attention_heads(self) -> tuple[int, int]:
        """Numbers of attention heads of the encoder and of the decoder."""
        encoder = _first_attribute(encoder_config(self._config), "encoder_attention_heads", *_HEADS)
        decoder = _first_attribute(decoder_config(self._config), "decoder_attention_heads", *_HEADS)
        return int(encoder), int(decoder)

    @property
    def _num_cache_heads_(self) -> int:
        decoder = decoder_config(self._config)
        # Configurations of one class for both sides call the encoder's heads num_key_value_heads (Whisper, transformers 4.57).
        own = None if decoder is self._config else getattr(decoder, "num_key_value_heads", None)
        return int(own or self.num_attention_heads[1])

    @property
    def _head_size_(self) -> int:
        """Width of one head of the decoder."""
        return _head_size(decoder_config(self._config), self.num_attention_heads[1])

    def _encoder_length_(self, inputs: Mapping[str, Any]) -> int | None:
        """Return the length of the encoder's output for dummy inputs; None where only a run of the model shows it."""
        return int(inputs["input_ids"].shape[1])

    def _add_dummy_past_(self, inputs: dict[str, Any], batch: int, sequence: int) -> None:
        if self._one_side_only_:
            super()._add_dummy_past_(inputs, batch, sequence)
            return
        past = sequence + 3
        if "decoder_attention_mask" in inputs:
            new = inputs["decoder_input_ids"].shape[1]
            inputs["decoder_attention_mask"] = np.ones((batch, past + new), np.int64)
        inputs["past_key_values"] = random_cache(self, batch, past, self._encoder_length_(inputs) or 1)

    def fill_with_past_key_values_(
        self, inputs_or_outputs: AxesByName, direction: str, inverted_values_shape: bool = False
    ) -> None:
        """Add the four cached tensors of each decoder layer to a mapping of inputs or outputs, in place.

        Their names are ``{layer}.decoder.key|value`` and ``{layer}.encoder.key|value``. Where the cross attention is not
        cached, there are two: ``{layer}.key|value``.
        """
        name = _cache_name(direction)
        decoder_axis = "past_decoder_sequence" if direction == "inputs" else "past_decoder_sequence + sequence"
        value_axis = 1 if inverted_values_shape else 2
        sides = {"decoder.": decoder_axis, "encoder.": "past_encoder_sequence"}
        if self._one_side_only_:
            sides = {"": PAST_SEQUENCE if direction == "inputs" else WHOLE_SEQUENCE}
        elif not caches_cross_attention(self):
            sides = {"": decoder_axis}
        for layer in range(self.num_layers[1]):
            for side, label in sides.items():
                inputs_or_outputs[f"{name}.{layer}.{side}key"] = {0: "batch", 2: label}
                inputs_or_outputs[f"{name}.{layer}.{side}value"] = {0: "batch", value_axis: label}

    def _flatten_past_key_values_(self, flattened_output: dict[str, Any], name: str, idx: int, t: Any) -> None:
        if self._one_side_only_ or not caches_cross_attention(self):
            super()._flatten_past_key_values_(flattened_output, name, idx, t)
            return
        parts = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
        for part, tensor in zip(parts, t, strict=False):  # a step that reads a cache may omit the encoder's
            flattened_output[f"{name}.{idx}.{part}"] = tensor


def without_past(config: WithPast) -> WithPast:
    """Return the same declaration without the cache."""
    return type(config)(config._config, task=config.task, patching_specs=config._patching_specs)


def encoder_config(config: Any) -> Any:
    """Return the configuration of the encoder: a part of `config` where a model is composed of two models."""
    return getattr(config, "encoder", config)


def decoder_config(config: Any) -> Any:
    """Return the configuration of the decoder: a part of `config` where a model is composed of two models."""
    return getattr(config, "decoder", config)


def caches_cross_attention(config: OnnxSeq2SeqConfigWithPast) -> bool:
    """Return whether the cache holds the keys and values of the cross attention, so that later steps need no encoder states."""
    return facts_of(decoder_config(config._config)).caches_cross_attention


def random_cache(
    config: OnnxSeq2SeqConfigWithPast, batch: int, past: int, encoder_length: int
) -> list[tuple[np.ndarray, ...]]:
    """Return a cache of random numbers for an encoder-decoder, one tuple per decoder layer.

    Returns:
        Key and value of the self-attention, float32 ``(batch, heads, past, head size)``. Where the cross attention is cached,
        then also its key and value, float32 ``(batch, heads, encoder length, head size)``.
    """
    own = (batch, config._num_cache_heads_, past, config._head_size_)
    cross = (batch, config._num_cache_heads_, encoder_length, config._head_size_)
    shapes = [own, own, cross, cross] if caches_cross_attention(config) else [own, own]
    return random_past(shapes, config.num_layers[1])


def _first_attribute(config: Any, *names: str, of: type | None = None) -> Any:
    for name in names:
        value = getattr(config, name, None)
        if value is not None:
            return value
    declaration = "its declaration" if of is None else of.__name__
    raise AttributeError(
        f"{type(config).__name__} has none of {', '.join(names)}. Override {names[0]} in {declaration}."
    )


def _head_size(config: Any, heads: int) -> int:
    own = next((size for name in _HEAD_SIZES if (size := getattr(config, name, None)) is not None), None)
    return int(config.hidden_size) // heads if own is None else int(own)


def _last(number: Any) -> int:
    """Return the decoder's of two numbers, or the only number."""
    return int(number[-1] if isinstance(number, tuple) else number)


def random_past(shapes: Sequence[tuple[int, ...]], layers: int) -> list[tuple[np.ndarray, ...]]:
    """Return a cache whose tensors all differ. With zeros, a cache in the wrong order would validate."""
    random = np.random.default_rng([length for shape in shapes for length in shape])
    return [tuple(random.normal(size=shape).astype(np.float32) for shape in shapes) for _ in range(layers)]


def _cache_name(direction: str) -> str:
    if direction == "inputs":
        return "past_key_values"
    if direction == "outputs":
        return "present"
    raise InputsError(f'direction is {direction!r}; expected "inputs" or "outputs".')
