"""The interface of a backend: it loads a checkpoint, runs it, and converts it to a graph whose weights stay outside."""

from __future__ import annotations

import inspect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np

from tfexport.backends.weightless import WeightlessGraph
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import Framework, FrameworkChoice
from tfexport.declarations.onnx_config import OnnxConfig, patched_ops
from tfexport.errors import ContractError, TfExportError, TracingError
from tfexport.processes.locks import PROCESS_LOCK

_ENDS_OF_REASONS = ("Call arguments received", "Traceback (most recent call last)")
"""What follows the reason in an error: Keras lists the arguments of every layer, TensorFlow quotes Python's stack."""
_LONGEST_REASON = 400
_MARKUP = re.compile(
    "\x1b\\[[0-9;]*m|\\{\\{function_node [^}]*\\}\\} ?| *\\[Op:\\w+\\] name: *|Arguments received by .*", re.DOTALL
)
"""Parts that are left out of messages: terminal colours, positions in TensorFlow's library, arguments of Keras 3's layers."""


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint, loaded.

    Attributes:
        model: The framework's model, in inference mode.
        model_class: Name of the model's class.
        missing_weights: Weights that the checkpoint does not hold, by their names in the backend's graphs.
        made_later: Function that returns the names of the weights that the model has made since it was loaded. A TensorFlow
            layer that was not built by then makes its weights when it is first called, and no checkpoint fills them.
        loaded_by: Package that loaded the model, with its version; None where only one package can.
    """

    model: Any
    model_class: str
    missing_weights: frozenset[str]
    made_later: Callable[[], frozenset[str]] = frozenset
    loaded_by: str | None = None

    def lacking(self, read: frozenset[str]) -> frozenset[str]:
        """Return the weights that a graph reads and the checkpoint did not fill.

        Args:
            read: Names of the weights that the graph reads.
        """
        return (self.missing_weights | self.made_later()) & read


class Layers(dict[str, np.ndarray]):
    """Float outputs of layers by name, in the order in which the layers ended.

    The second call of a layer is ``name#2``. The later tensors of a call that returns several are ``name[1]``, ``name[2]``.
    """

    def add(
        self, name: str, values: Sequence[Any], is_float: Callable[[Any], bool], array: Callable[[Any], Any]
    ) -> None:
        """Add the outputs of one call of a layer.

        Args:
            name: Name of the layer.
            values: Outputs of the call.
            is_float: Function that returns whether an output is a tensor of floats.
            array: Function from such a tensor to a NumPy array.
        """
        self._calls[name] += 1
        called = name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"
        for index, value in enumerate(filter(is_float, values)):
            self[f"{called}[{index}]" if index else called] = np.array(array(value))

    def __init__(self) -> None:
        super().__init__()
        self._calls: Counter[str] = Counter()


class Backend(Protocol):
    """One framework."""

    framework: Framework

    def load(self, checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> LoadedModel:
        """Load a checkpoint with a class of transformers; weights of the other framework are converted.

        Raises:
            CheckpointError: The weights cannot be read or do not fit the model.
        """

    def load_signature_model(self, checkpoint: Checkpoint) -> LoadedModel:
        """Load a model that declares itself by a signature: its property ``fed`` lists its inputs.

        Raises:
            CheckpointError: The model cannot be read, holds code that is not trusted, or is only weights.
            UnsupportedError: The model takes tensors that ONNX has no counterpart for.
            InputsError: The inputs of the model are not known.
        """

    def call(self, model: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a model that declares itself, before it has a declaration: all its outputs by name.

        Raises:
            TracingError: The model fails on these inputs.
        """

    def routes(self, config: OnnxConfig) -> tuple[str, ...]:
        """Return the ways to convert this model, best first. The next one is tried when one fails or does not validate."""

    def convert(
        self, model: Any, config: OnnxConfig, inputs: Mapping[str, np.ndarray], opset: int, route: str
    ) -> WeightlessGraph:
        """Convert a model. Its weights stay in the model.

        Args:
            model: The framework's model.
            config: Declaration of the model.
            inputs: Arrays to trace with, in the declared order.
            opset: Opset to write; the route writes the nearest one where it cannot write this one.
            route: One of `routes`.

        Raises:
            ConversionError: The model cannot be converted on this route.
        """

    def run(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Run the model itself, and return all its outputs by name. Nested ones are flattened as the declaration says.

        Raises:
            ContractError: The model does not accept a declared input.
            TracingError: The model fails on these inputs.
        """

    def layers(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> Layers:
        """Run the model itself, and return the outputs of each of its layers.

        Raises:
            ContractError: The model does not accept a declared input.
            TracingError: The model fails on these inputs.
        """

    def tensor(self, array: np.ndarray) -> Any:
        """Return an array as a tensor of the framework."""


def check_inputs(function: Any, model: Any, config: OnnxConfig) -> None:
    """Refuse a declaration that names inputs which a model does not accept.

    Args:
        function: The model's ``forward`` or ``call``.
        model: The model, for the message.
        config: Declaration of the model.

    Raises:
        ContractError: The declaration names such an input.
    """
    parameters = inspect.signature(function).parameters
    anything = ((None,) * 4,)
    taken = config._arguments_({name.split(".")[0]: anything for name in config.inputs}, lambda *_: None)
    unknown = [name for name in taken if name not in parameters]
    if unknown:
        raise ContractError(
            f"{type(model).__name__} does not accept the input {', '.join(unknown)}, which {type(config).__name__} declares."
        )


def flat_inputs(config: OnnxConfig, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the arrays of a declaration's inputs, one per declared name, and the structure in which a model nests them.

    Args:
        config: Declaration of the model.
        inputs: Arrays by name; ``past_key_values`` as nested sequences.

    Returns:
        A structure, in which declared names stand for arrays (see `mapped`), and the arrays by declared name.

    Raises:
        ContractError: A declared input lacks an array.
    """
    structure: dict[str, Any] = {}
    flat: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        if isinstance(value, (list, tuple)):
            structure[name] = _flat_names(config, name, value)
            flat.update(config.flatten_output_collection_property(name, value))
        else:
            flat[name] = value
            structure[name] = name
    missing = [name for name in config.inputs if name not in flat]
    if missing:
        raise ContractError(
            f"the declared inputs {', '.join(missing)} lack an array. Expected one array per declared input."
        )
    return structure, flat


def _flat_names(config: OnnxConfig, name: str, value: Any) -> Any:
    """Return a nested input with the names of its flattened arrays in their place."""
    count = itertools.count()
    numbers = mapped(value, lambda _: next(count))  # the same array may stand in several places
    names = {number: flat for flat, number in config.flatten_output_collection_property(name, numbers).items()}
    return mapped(numbers, names.__getitem__)


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to a value, or to the leaves of nested sequences, which become tuples as models accept them."""
    if isinstance(value, (list, tuple)):
        return tuple(mapped(item, function) for item in value)
    return function(value)


@contextmanager
def model_errors(model: Any) -> Iterator[None]:
    """Turn an error that a model raises on dummy inputs into a `TracingError`. Only the call of the model belongs inside.

    Args:
        model: The model. The message uses its ``known_as``, or its class where it lacks one.
    """
    try:
        yield
    except TfExportError:
        raise
    except Exception as error:  # the boundary of a model: its code decides what it raises
        name = getattr(model, "known_as", type(model).__name__)
        raise TracingError(
            f"{name} itself fails on the dummy inputs: {type(error).__name__}: {reason_of(error)}"
        ) from error


def reason_of(error: Exception) -> str:
    """Return the message of a framework's error in one line."""
    message = str(error)
    for end in _ENDS_OF_REASONS:
        message = message.split(end, 1)[0]
    return " ".join(_MARKUP.sub("", message).split())[:_LONGEST_REASON] or "no message"


def flatten_outputs(config: OnnxConfig, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a model by name, nested ones flattened. ``past_key_values`` becomes ``present``.

    Outputs of a part of a model have names such as ``text_model_output.last_hidden_state``.
    """
    flat: dict[str, Any] = {}
    for name, value in outputs.items():
        if value is None:
            continue
        name = "present" if name == "past_key_values" else name
        if isinstance(value, Mapping):
            flat.update({f"{name}.{part}": item for part, item in flatten_outputs(config, value).items()})
        elif isinstance(value, (list, tuple)):
            leaves = config.flatten_output_collection_property(name, value)
            flat.update({leaf: item for leaf, item in leaves.items() if item is not None})
        else:
            flat[name] = value
    return flat


def declared_outputs(config: OnnxConfig, outputs: Mapping[str, Any], model_class: str) -> dict[str, Any]:
    """Return the declared ones of a model's outputs, in the declared order.

    Raises:
        ContractError: The model lacks a declared output.
    """
    flat = flatten_outputs(config, outputs)
    missing = [name for name in config.outputs if name not in flat]
    if missing:
        raise ContractError(
            f"{model_class} does not return the output {', '.join(missing)}, which {type(config).__name__} declares for "
            f"{config.task!r}. Its outputs are {', '.join(flat)}."
        )
    return {name: flat[name] for name in config.outputs}


@contextmanager
def prepared(model: Any, config: OnnxConfig) -> Iterator[None]:
    """Override the configuration's values and patch the ops for the duration of a block; always undone.

    The block holds the lock of the process.
    """
    with PROCESS_LOCK, _overridden(model, config), patched_ops(config):
        yield


@contextmanager
def _overridden(model: Any, config: OnnxConfig) -> Iterator[None]:
    """Override the configuration's values. Those of a part's configuration go by a path, such as ``decoder.use_cache``."""
    absent = object()
    saved: list[tuple[Any, str, Any]] = []
    try:
        for path, value in (config.values_override or {}).items():
            *parts, name = path.split(".")
            holder = reduce(getattr, parts, model.config)
            saved.append((holder, name, getattr(holder, name, absent)))
            setattr(holder, name, value)
        yield
    finally:
        for holder, name, value in reversed(saved):
            if value is absent:
                delattr(holder, name)
            else:
                setattr(holder, name, value)
