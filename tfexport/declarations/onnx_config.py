"""The declaration of an export: `OnnxConfig`. Its extensions with a key-value cache are in `onnx_config_with_past`.

The public surface is that of ``transformers.onnx`` 4.57: a class written against it works with only its import
changed. What was wrong there is mended here: overrides and patches are always undone, dummy inputs have exactly the
shapes asked for, and no method needs one framework to serve the other.
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
from tfexport.declarations.patching import PatchingSpec
from tfexport.declarations.tasks import TASKS
from tfexport.errors import InputsError, UnsupportedFeatureError
from tfexport.processes.locks import PROCESS_LOCK

DEFAULT_ONNX_OPSET = 18
EXTERNAL_DATA_FORMAT_SIZE_LIMIT = 2 * 1024**3

Zeros = Callable[[Any, int], Any]


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
    def shortest_sequence(self) -> int:
        """Length of the shortest row that the file takes, in tokens."""
        return 1

    @property
    def default_onnx_opset(self) -> int:
        """The opset of the file when the user names none: 18, which both backends write natively."""
        return DEFAULT_ONNX_OPSET

    @property
    def atol_for_validation(self) -> float:
        """Absolute tolerance of the validation."""
        return 1e-5

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the file does not promise, one sentence each: for the manifest and the user."""
        return ()

    @property
    def lengths(self) -> Sequence[Mapping[str, int]] | None:
        """Sets of lengths of the dynamic axes to validate with, where nothing else tells which ones a model takes.

        None: the configuration and the names of the axes do.
        """
        return None

    def called(self, model: Any) -> Any:
        """What of a model the declaration is about: all of it, unless it declares a part."""
        return model

    def arguments(self, inputs: Mapping[str, Any], zeros: Zeros) -> dict[str, Any]:
        """What the model is called with: its own names for the declared inputs.

        Args:
            inputs: the framework's tensors by their declared names; ``past_key_values`` as nested tuples.
            zeros: a function from a tensor ``(batch, heads, length, size)`` and a width to zeros ``(batch, length,
                width)`` of the same framework.
        """
        return dict(inputs)

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
        num_channels: int = -1,
        image_width: int = -1,
        image_height: int = -1,
        sampling_rate: int = -1,
        time_duration: float = 1.0,
        frequency: int = 220,
        tokenizer: Any = None,
    ) -> Mapping[str, Any]:
        """Inputs of exactly the shapes asked for, every declared name among them.

        Token ids are drawn at random (a fixed seed for each shape) from the preprocessor's vocabulary, with special
        tokens where its class places them, or from the configuration's when `preprocessor` is None. Images are as
        large as the image processor makes them, and audio is sampled as the feature extractor wants it: what
        ``transformers.onnx`` has as fixed defaults (40 pixels, 22050 Hz) no model takes.

        Args:
            preprocessor: tokenizer, image processor, feature extractor, a processor of several, or None.
            batch_size: samples; -1 for `default_batch_size`.
            seq_length: tokens, special tokens included; -1 for `default_sequence_length`.
            num_choices: choices of a multiple-choice model; -1 for `default_num_choices`.
            is_pair: two sentences a row, told apart by ``token_type_ids``.
            framework: ``"pt"``, ``"tf"`` or ``TensorType``; None gives NumPy arrays.
            num_channels: channels of generated images; -1 for the configuration's.
            image_width: pixels; -1 for the image processor's, else the configuration's, else 224.
            image_height: pixels; -1 as `image_width`.
            sampling_rate: of generated audio, in hertz; -1 for the feature extractor's, else 16000.
            time_duration: of generated audio, in seconds.
            frequency: of generated audio, in hertz.
            tokenizer: deprecated name of `preprocessor`.

        Returns:
            Mapping name -> array: ids and masks int64 ``(batch, sequence)``, or ``(batch, choice, sequence)`` for
            multiple choice; images float32 ``(batch, channels, height, width)``; audio float32 ``(batch, samples)``.

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
                channels=num_channels if num_channels > 0 else None,
                height=image_height if image_height > 0 else None,
                width=image_width if image_width > 0 else None,
                sampling_rate=sampling_rate if sampling_rate > 0 else None,
                seconds=time_duration,
                frequency=frequency,
            ),
            is_pair=is_pair,
        )
        return to_framework(arrays, framework)

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
        """Patch for the duration of a block, which holds the lock of the process; undone however the block ends."""
        with PROCESS_LOCK:
            try:
                self.patch_ops()
                yield
            finally:
                self.restore_ops()

    @classmethod
    def flatten_output_collection_property(cls, name: str, field: Iterable[Any]) -> dict[str, Any]:
        """Flatten a tuple of tuples, or of tensors, to ``{name}.{index}``."""
        items = chain.from_iterable(item if isinstance(item, (list, tuple)) else (item,) for item in field)
        return {f"{name}.{index}": item for index, item in enumerate(items)}


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
