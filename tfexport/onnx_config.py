"""The declaration of an export: `OnnxConfig` and its two extensions with a key-value cache.

The public surface is that of ``transformers.onnx`` 4.57: a class written against it works with only its import
changed. What was wrong there is mended here: overrides and patches are always undone, past tensors are NumPy arrays
before they are any framework's, and layer counts, head counts and head sizes are the model's own.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from packaging.version import Version

from tfexport import dummy_inputs
from tfexport.errors import InputsError, UnsupportedFeatureError
from tfexport.tasks import TASKS

DEFAULT_ONNX_OPSET = 18
EXTERNAL_DATA_FORMAT_SIZE_LIMIT = 2 * 1024**3

AxesByName = MutableMapping[str, MutableMapping[int, str]]

_ABSENT = object()


class ParameterFormat(Enum):
    """Storage format of a parameter."""

    Float = "float"

    @property
    def size(self) -> int:
        """Bytes a parameter."""
        return 4


def compute_serialized_parameters_size(num_parameters: int, dtype: ParameterFormat) -> int:
    """Bytes that `num_parameters` parameters of `dtype` take."""
    return num_parameters * dtype.size


@dataclasses.dataclass
class PatchingSpec:
    """An attribute to replace while a model is traced.

    Attributes:
        o: the object (module, class, instance) that holds the attribute.
        name: the attribute's name.
        custom_op: what replaces it.
        orig_op: what to put back; None means whatever is there when the patch is applied.
        op_wrapper: applied to `custom_op` when patching. It is never applied to what is put back.
    """

    o: Any
    name: str
    custom_op: Callable[..., Any]
    orig_op: Callable[..., Any] | None = None
    op_wrapper: Callable[..., Any] | None = None

    def apply(self) -> Callable[[], None]:
        """Patch, and return the function that puts back what was there."""
        own = vars(self.o).get(self.name, _ABSENT)  # the raw attribute: getattr would unwrap a staticmethod
        found = getattr(self.o, self.name)  # a name that does not exist is a mistake in the spec
        inherited = own is _ABSENT and inspect.getattr_static(self.o, self.name, _ABSENT) is not _ABSENT
        setattr(self.o, self.name, self.custom_op if self.op_wrapper is None else self.op_wrapper(self.custom_op))

        def restore() -> None:
            if self.orig_op is not None:
                setattr(self.o, self.name, self.orig_op)
            elif inherited:
                delattr(self.o, self.name)
            else:
                # torch keeps a module's children elsewhere, behind its __getattr__
                setattr(self.o, self.name, found if own is _ABSENT else own)

        return restore


class OnnxConfig:
    """How a model is exported: its inputs and outputs with their named axes, and its defaults.

    A declaration gives `inputs`; the outputs come from the task. See ``tfexport/architectures`` for examples.

    Args:
        config: the model's configuration (``transformers.PretrainedConfig``).
        task: the task, for example ``"masked-lm"``.
        patching_specs: attributes to replace while the model is traced.

    Raises:
        UnsupportedFeatureError: no such task.
    """

    default_fixed_batch = 2
    default_fixed_sequence = 8
    default_fixed_num_choices = 4
    torch_onnx_minimum_version = Version("1.8")
    _tasks_to_common_outputs: ClassVar[dict[str, Mapping[str, Mapping[int, str]]]] = {
        name: task.outputs for name, task in TASKS.items()
    }

    def __init__(self, config: Any, task: str = "default", patching_specs: list[PatchingSpec] | None = None) -> None:
        self._config = config
        if task not in self._tasks_to_common_outputs:
            raise UnsupportedFeatureError(
                f"{task!r} is not a task. Supported tasks: {', '.join(self._tasks_to_common_outputs)}."
            )
        self.task = task
        self._patching_specs = list(patching_specs or [])
        self._undo_patches: list[Callable[[], None]] = []

    @classmethod
    def from_model_config(cls, config: Any, task: str = "default") -> OnnxConfig:
        """The declaration of a model's configuration, without past."""
        return cls(config, task=task)

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        """Ordered input names, each with its dynamic axes ``{axis index: axis name}``."""
        raise NotImplementedError(f"{type(self).__name__} declares no inputs")

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        """Ordered output names, each with its dynamic axes ``{axis index: axis name}``."""
        return copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        """Values that the model's configuration has while it is traced, and only then."""
        return {"use_cache": False} if hasattr(self._config, "use_cache") else None

    @property
    def default_batch_size(self) -> int:
        """Batch size of the traced inputs: not 1, which exporters specialise on."""
        return self.default_fixed_batch

    @property
    def default_sequence_length(self) -> int:
        """Sequence length of the traced inputs, in tokens."""
        return self.default_fixed_sequence

    @property
    def default_num_choices(self) -> int:
        """Number of choices of the traced inputs of a multiple-choice model."""
        return self.default_fixed_num_choices

    @property
    def default_onnx_opset(self) -> int:
        """The opset of the file when the user names none: 18, which both backends write natively."""
        return DEFAULT_ONNX_OPSET

    @property
    def atol_for_validation(self) -> float:
        """Absolute tolerance of the validation."""
        return 1e-5

    @property
    def is_torch_support_available(self) -> bool:
        """Whether the installed PyTorch is recent enough for this model. False without PyTorch."""
        try:
            return Version(version("torch")) >= Version(str(self.torch_onnx_minimum_version))
        except PackageNotFoundError:
            return False

    @staticmethod
    def use_external_data_format(num_parameters: int) -> bool:
        """Whether `num_parameters` float32 parameters exceed what one protobuf can hold (2 GiB)."""
        return (
            compute_serialized_parameters_size(num_parameters, ParameterFormat.Float) >= EXTERNAL_DATA_FORMAT_SIZE_LIMIT
        )

    def generate_dummy_inputs(
        self,
        preprocessor: Any,
        batch_size: int = -1,
        seq_length: int = -1,
        num_choices: int = -1,
        is_pair: bool = False,
        framework: Any = None,
        num_channels: int = 3,
        image_width: int = 40,
        image_height: int = 40,
        sampling_rate: int = 22050,
        time_duration: float = 5.0,
        frequency: int = 220,
        tokenizer: Any = None,
    ) -> Mapping[str, Any]:
        """Inputs of exactly the shapes asked for, every declared name among them.

        Token ids are drawn at random (a fixed seed for each shape) from the preprocessor's vocabulary, with its
        special tokens in place, or from the configuration's when `preprocessor` is None.

        Args:
            preprocessor: tokenizer, or None.
            batch_size: samples; -1 for `default_batch_size`.
            seq_length: tokens, special tokens included; -1 for `default_sequence_length`.
            num_choices: choices of a multiple-choice model; -1 for `default_num_choices`.
            is_pair: two sentences a row, told apart by ``token_type_ids``.
            framework: ``"pt"``, ``"tf"`` or ``TensorType``; None gives NumPy arrays.
            num_channels: channels of generated images.
            image_width: pixels.
            image_height: pixels.
            sampling_rate: of generated audio, in hertz.
            time_duration: of generated audio, in seconds.
            frequency: of generated audio, in hertz.
            tokenizer: deprecated name of `preprocessor`.

        Returns:
            Mapping name -> int64 array ``(batch, sequence)``, or ``(batch, choice, sequence)`` for multiple choice.

        Raises:
            InputsError: both `preprocessor` and `tokenizer`, or an input that no generator knows.
        """
        preprocessor = one_preprocessor(preprocessor, tokenizer)
        arrays = dummy_inputs.generate(
            self.inputs,
            self._config,
            preprocessor,
            dummy_inputs.Sizes(
                batch=batch_size if batch_size > 0 else self.default_batch_size,
                sequence=seq_length if seq_length > 0 else self.default_sequence_length,
                choice=num_choices if num_choices > 0 else self.default_num_choices,
            ),
            is_pair=is_pair,
        )
        return dummy_inputs.to_framework(arrays, framework)

    def generate_dummy_inputs_onnxruntime(self, reference_model_inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Inputs of the ONNX file, made from those of the reference model; the same unless overridden."""
        return reference_model_inputs

    def patch_ops(self) -> None:
        """Apply the patching specs. Undo them with `restore_ops`; the exporters use `patched`, which always does."""
        for spec in self._patching_specs:
            self._undo_patches.append(spec.apply())

    def restore_ops(self) -> None:
        """Put back what `patch_ops` replaced, last patch first."""
        while self._undo_patches:
            self._undo_patches.pop()()

    @contextmanager
    def patched(self) -> Iterator[None]:
        """Patch for the duration of a block; undone however the block ends."""
        try:
            self.patch_ops()
            yield
        finally:
            self.restore_ops()

    @classmethod
    def flatten_output_collection_property(cls, name: str, field: Iterable[Any]) -> dict[str, Any]:
        """Flatten a tuple of tuples to ``{name}.{index}``."""
        return {f"{name}.{index}": item for index, item in enumerate(chain.from_iterable(field))}


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
        zeros = np.zeros((batch, int(self.num_attention_heads), past, self.head_size), np.float32)
        inputs["past_key_values"] = [(zeros, zeros) for _ in range(int(self.num_layers))]

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
        own = np.zeros((batch, heads, past, self.head_size), np.float32)
        cross = np.zeros((batch, heads, sequence, self.head_size), np.float32)
        # One (decoder key, decoder value, encoder key, encoder value) a decoder layer.
        inputs["past_key_values"] = [(own, own, cross, cross) for _ in range(self.num_layers[1])]

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


def _cache_name(direction: str) -> str:
    if direction == "inputs":
        return "past_key_values"
    if direction == "outputs":
        return "present"
    raise InputsError(f'direction is {direction!r}; expected "inputs" or "outputs".')


def one_preprocessor(preprocessor: Any, tokenizer: Any) -> Any:
    """The preprocessor, also when it comes under its deprecated name.

    Raises:
        InputsError: both were given.
    """
    if tokenizer is None:
        return preprocessor
    if preprocessor is not None:
        raise InputsError("Both a tokenizer and a preprocessor were given. Give the preprocessor alone.")
    warnings.warn("The `tokenizer` argument is deprecated: use `preprocessor`.", FutureWarning, stacklevel=3)
    return tokenizer


__all__ = [
    "DEFAULT_ONNX_OPSET",
    "EXTERNAL_DATA_FORMAT_SIZE_LIMIT",
    "OnnxConfig",
    "OnnxConfigWithPast",
    "OnnxSeq2SeqConfigWithPast",
    "ParameterFormat",
    "PatchingSpec",
    "compute_serialized_parameters_size",
]
