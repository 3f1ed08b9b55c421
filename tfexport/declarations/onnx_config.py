"""`OnnxConfig`, the declaration of an export. `tfexport.declarations.with_past` extends it with a key-value cache.

The public surface is that of ``transformers.onnx`` 4.57: a class written against it works with only its import changed.
Three faults of that library are corrected here. Overrides and patches are always undone. Dummy inputs have exactly the shapes
that were asked for. No method needs one framework to serve the other.
"""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any, ClassVar

from packaging.version import Version

from tfexport import dummy_inputs
from tfexport.declarations.framework_tensors import to_framework
from tfexport.declarations.model_facts import input_rules
from tfexport.declarations.tasks import TASKS
from tfexport.errors import InputsError, UnsupportedFeatureError
from tfexport.processes.locks import PROCESS_LOCK
from tfexport.processes.patching import PatchingSpec

DEFAULT_ONNX_OPSET = 18
EXTERNAL_DATA_FORMAT_SIZE_LIMIT = 2 * 1024**3

Zeros = Callable[[Any, int], Any]
"""Function from a cached tensor ``(batch, heads, length, size)`` and a width to zeros ``(batch, length, width)``."""


class ParameterFormat(Enum):
    """Storage format of a parameter."""

    Float = "float"

    @property
    def size(self) -> int:
        """Bytes per parameter."""
        return 4


def compute_serialized_parameters_size(num_parameters: int, dtype: ParameterFormat) -> int:
    """Return the number of bytes that `num_parameters` parameters of `dtype` occupy."""
    return num_parameters * dtype.size


class OnnxConfig:
    """Declaration of an export: the inputs and outputs of a model with their named axes, and its defaults.

    A subclass declares `inputs`; the outputs follow from the task. ``tfexport/declarations/architectures`` has examples.

    Names of the form ``_name_`` are the protocol between a declaration and this project's engine. Each has a default, and a
    declaration overrides those that its model needs:

    - ``_caveats_``: limits of the file, for the user and the manifest;
    - ``_shortest_sequence_``: length of the shortest row that the model accepts;
    - ``_lengths_``: lengths of the dynamic axes to validate with;
    - ``_submodel_`` and ``_arguments_``: the part of the model that is called, and its arguments;
    - with a cache also ``_num_cache_heads_`` and ``_head_size_``;
    - for an encoder-decoder also ``_encoder_states_``, ``_encoder_length_``, ``_exported_in_parts_`` and ``_one_side_only_``.

    All other names belong to ``transformers.onnx`` or to the subclass: the engine reads no other attribute.

    Args:
        config: the model's configuration (``transformers.PretrainedConfig``).
        task: the task, for example ``"masked-lm"``.
        patching_specs: attributes to replace while the model is traced.

    Raises:
        UnsupportedFeatureError: the task does not exist.
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
        self._undo_patches_: list[Callable[[], None]] = []

    @classmethod
    def from_model_config(cls, config: Any, task: str = "default") -> OnnxConfig:
        """Return the declaration of a model's configuration, without past."""
        return cls(config, task=task)

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        """Input names in order, each with its dynamic axes ``{axis index: axis name}``."""
        raise NotImplementedError(f"{type(self).__name__} declares no inputs: define its property `inputs`")

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        """Output names in order, each with its dynamic axes ``{axis index: axis name}``."""
        return copy.deepcopy(OrderedDict(self._tasks_to_common_outputs[self.task]))

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        """Values that the model's configuration holds only while the model is traced."""
        return {"use_cache": False} if hasattr(self._config, "use_cache") else None

    @property
    def default_batch_size(self) -> int:
        """Batch size of the traced inputs. It is not 1, because exporters specialise on 1."""
        return self.default_fixed_batch

    @property
    def default_sequence_length(self) -> int:
        """Sequence length of the traced inputs, in tokens."""
        return self.default_fixed_sequence

    @property
    def default_num_choices(self) -> int:
        """Number of choices in the traced inputs of a multiple-choice model."""
        return self.default_fixed_num_choices

    @property
    def default_onnx_opset(self) -> int:
        """Opset of the file when the user names none: 18, which both backends write natively."""
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
        """Return whether `num_parameters` float32 parameters exceed the size limit of a protobuf (2 GiB)."""
        return (
            compute_serialized_parameters_size(num_parameters, ParameterFormat.Float) >= EXTERNAL_DATA_FORMAT_SIZE_LIMIT
        )

    @property
    def _shortest_sequence_(self) -> int:
        """Length of the shortest row that the file accepts, in tokens."""
        return 1

    @property
    def _caveats_(self) -> tuple[str, ...]:
        """Limits of the file, one sentence each. The subject, the file, is left out."""
        return ()

    @property
    def _lengths_(self) -> Sequence[Mapping[str, int]] | None:
        """Sets of lengths of the dynamic axes to validate with; None when the configuration and the axis names suffice."""
        return None

    def _submodel_(self, model: Any) -> Any:
        """Return the part of a model that is called: the whole model, unless the declaration describes a part."""
        return model

    def _arguments_(self, inputs: Mapping[str, Any], zeros: Zeros) -> dict[str, Any]:
        """Return the arguments of the call: the declared inputs under the model's own names.

        Args:
            inputs: the framework's tensors by their declared names; ``past_key_values`` as nested tuples.
            zeros: a function that returns zeros of the same framework.
        """
        return dict(inputs)

    def generate_dummy_inputs(
        self,
        preprocessor: Any,
        batch_size: int = -1,
        seq_length: int = -1,
        num_choices: int = -1,
        is_pair: bool = False,
        framework: Any = None,
        num_channels: int = -1,
        image_width: int = -1,
        image_height: int = -1,
        sampling_rate: int = -1,
        time_duration: float = 1.0,
        frequency: int = 220,
        tokenizer: Any = None,
    ) -> Mapping[str, Any]:
        """Return an input of exactly the requested shape for every declared name.

        Token ids are drawn at random, with a fixed seed per shape. They come from the preprocessor's vocabulary, with special
        tokens where its class places them, or from the configuration's vocabulary when `preprocessor` is None. Images are as
        large as the image processor makes them. Audio is sampled as the feature extractor expects it. The fixed defaults
        of ``transformers.onnx`` (40 pixels, 22050 Hz) suit no model.

        Args:
            preprocessor: tokenizer, image processor, feature extractor, a processor that combines several, or None.
            batch_size: samples; -1 for `default_batch_size`.
            seq_length: tokens, special tokens included; -1 for `default_sequence_length`.
            num_choices: choices of a multiple-choice model; -1 for `default_num_choices`.
            is_pair: whether each row holds two sentences, which ``token_type_ids`` distinguish.
            framework: ``"pt"``, ``"tf"`` or a ``TensorType``; None for NumPy arrays.
            num_channels: channels of the images; -1 for the configuration's.
            image_width: pixels; -1 for the image processor's, else the configuration's, else 224.
            image_height: pixels; -1 as for `image_width`.
            sampling_rate: hertz; -1 for the feature extractor's, else 16000.
            time_duration: seconds of audio.
            frequency: hertz of the tone in the audio.
            tokenizer: deprecated name of `preprocessor`.

        Returns:
            Arrays by name: ids and masks int64 ``(batch, sequence)``, or ``(batch, choice, sequence)`` for multiple choice;
            images float32 ``(batch, channels, height, width)``; audio float32 ``(batch, samples)``.

        Raises:
            InputsError: both `preprocessor` and `tokenizer` were passed, or no generator knows an input.
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
                channels=num_channels if num_channels > 0 else None,
                height=image_height if image_height > 0 else None,
                width=image_width if image_width > 0 else None,
                sampling_rate=sampling_rate if sampling_rate > 0 else None,
                seconds=time_duration,
                frequency=frequency,
            ),
            is_pair=is_pair,
            rules=input_rules(self._config),
        )
        return to_framework(arrays, framework)

    def generate_dummy_inputs_onnxruntime(self, reference_model_inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the inputs of the ONNX file for those of the reference model. They are the same unless overridden."""
        return reference_model_inputs

    def patch_ops(self) -> None:
        """Apply the patching specs. Undo them with `restore_ops`, or use `patched_ops`, which always does."""
        for spec in self._patching_specs:
            self._undo_patches_.append(spec.apply())

    def restore_ops(self) -> None:
        """Restore the attributes that `patch_ops` replaced, last patch first."""
        while self._undo_patches_:
            self._undo_patches_.pop()()

    @classmethod
    def flatten_output_collection_property(cls, name: str, field: Iterable[Any]) -> dict[str, Any]:
        """Flatten a tuple of tuples, or of tensors, to ``{name}.{index}``."""
        items = chain.from_iterable(item if isinstance(item, (list, tuple)) else (item,) for item in field)
        return {f"{name}.{index}": item for index, item in enumerate(items)}


@contextmanager
def patched_ops(config: OnnxConfig) -> Iterator[None]:
    """Apply the patches of a declaration for the duration of a block, which holds the lock of the process.

    The patches are undone however the block ends.
    """
    with PROCESS_LOCK:
        try:
            config.patch_ops()
            yield
        finally:
            config.restore_ops()


def one_preprocessor(preprocessor: Any, tokenizer: Any) -> Any:
    """Return the preprocessor, which may come under its deprecated name `tokenizer`.

    Raises:
        InputsError: both were passed.
    """
    if tokenizer is None:
        return preprocessor
    if preprocessor is not None:
        raise InputsError("Both `tokenizer` and `preprocessor` were passed. Pass only `preprocessor`.")
    warnings.warn("The `tokenizer` argument is deprecated: use `preprocessor`.", FutureWarning, stacklevel=3)
    return tokenizer
