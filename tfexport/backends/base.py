"""What a backend is: load a checkpoint, run it, and turn it into a graph whose weights stay outside."""

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

_LONGEST_REASON = 400
_MARKUP = re.compile(
    "\x1b\\[[0-9;]*m|\\{\\{function_node [^}]*\\}\\} ?| *\\[Op:\\w+\\] name: *|Arguments received by .*", re.DOTALL
)
"""Colours for a terminal, and where in TensorFlow's own library it failed; the arguments of a layer of Keras 3."""

RAISED_BY_MODELS = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    ArithmeticError,
)
"""What a model's own code raises on inputs that it does not like."""


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint, loaded.

    Attributes:
        model: the framework's model, in inference mode.
        model_class: its class's name.
        missing_weights: weights that the checkpoint did not hold, as the backend names them in its graphs.
        made_later: tells the weights that the model has made since it was loaded, by the same names: a TensorFlow layer that is
            not built by then makes them when it is first called, and no checkpoint has filled them.
        loaded_by: the package that loaded it, with its version, where it could have been another.
        declaration: of a model that declares itself by a signature; None where its configuration does.
    """

    model: Any
    model_class: str
    missing_weights: frozenset[str]
    made_later: Callable[[], frozenset[str]] = frozenset
    loaded_by: str | None = None
    declaration: OnnxConfig | None = None

    def lacking(self, read: frozenset[str]) -> frozenset[str]:
        """Those of some weights that the checkpoint did not fill."""
        return (self.missing_weights | self.made_later()) & read


class Layers(dict[str, np.ndarray]):
    """What layers gave, by name, in the order in which they ended: float arrays alone.

    A layer that is called again is ``name#2``; of several tensors the later ones are ``name[1]``, ``name[2]``.
    """

    def add(
        self, name: str, values: Sequence[Any], is_float: Callable[[Any], bool], array: Callable[[Any], Any]
    ) -> None:
        """Add what one call of a layer gave.

        Args:
            name: of the layer.
            values: its outputs.
            is_float: whether one of them is a tensor of floats.
            array: from such a one to NumPy.
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
            CheckpointError: the weights cannot be read or do not fit the model.
        """

    def routes(self, config: OnnxConfig) -> tuple[str, ...]:
        """The ways to convert this model, best first; the next is tried when one fails or does not validate."""

    def convert(
        self, model: Any, config: OnnxConfig, inputs: Mapping[str, np.ndarray], opset: int, route: str
    ) -> WeightlessGraph:
        """Convert a model; its weights stay where they are.

        Args:
            model: the framework's model.
            config: the declaration.
            inputs: the arrays to trace with, in the declared order.
            opset: the opset to write, if the route can; else the nearest one that it can.
            route: one of `routes`.

        Raises:
            ConversionError: the model cannot be converted on this route.
        """

    def run(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Run the model itself: all its outputs by name, nested ones flattened as the declaration says.

        Raises:
            ContractError: the model does not take a declared input.
            TracingError: the model fails on these inputs.
        """

    def layers(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> Layers:
        """Run the model itself, and tell what each of its layers gives.

        Raises:
            ContractError: the model does not take a declared input.
            TracingError: the model fails on these inputs.
        """

    def tensor(self, array: np.ndarray) -> Any:
        """An array as the framework's tensor."""


def check_inputs(function: Any, model: Any, config: OnnxConfig) -> None:
    """Refuse a declaration that names inputs which a model does not take.

    Args:
        function: what computes the model: its ``forward`` or ``call``.
        model: the model, for the message.
        config: the declaration.

    Raises:
        ContractError: it does.
    """
    parameters = inspect.signature(function).parameters
    anything = ((None,) * 4,)
    taken = config._arguments_({name.split(".")[0]: anything for name in config.inputs}, lambda *_: None)
    unknown = [name for name in taken if name not in parameters]
    if unknown:
        raise ContractError(
            f"{type(model).__name__} takes no input {', '.join(unknown)}, which {type(config).__name__} declares."
        )


def flat_inputs(config: OnnxConfig, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Arrays of a declaration's inputs, one a declared name, and how a model nests them.

    Args:
        config: the declaration.
        inputs: arrays by name; ``past_key_values`` as nested sequences.

    Returns:
        A structure, in which declared names stand for arrays (see `mapped`), and the arrays by declared name.

    Raises:
        ContractError: no array was given for a declared input.
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
        raise ContractError(f"no array was given for the declared input(s) {', '.join(missing)}.")
    return structure, flat


def _flat_names(config: OnnxConfig, name: str, value: Any) -> Any:
    """A nested input with the names of its flattened arrays in their place."""
    count = itertools.count()
    numbers = mapped(value, lambda _: next(count))  # one array may stand in several places
    names = {number: flat for flat, number in config.flatten_output_collection_property(name, numbers).items()}
    return mapped(numbers, names.__getitem__)


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """A function applied to a value, or to the leaves of nested sequences, which become the tuples that models take."""
    if isinstance(value, (list, tuple)):
        return tuple(mapped(item, function) for item in value)
    return function(value)


@contextmanager
def model_errors(model: Any, *of_framework: type[Exception]) -> Iterator[None]:
    """Turn what a model raises on dummy inputs into one typed error.

    Args:
        model: the model; ``known_as`` is its name in the message, where it has one, else its class.
        of_framework: error classes of the framework's own.
    """
    raised: tuple[type[Exception], ...] = (*RAISED_BY_MODELS, *of_framework)
    try:
        yield
    except TfExportError:
        raise
    except raised as error:
        name = getattr(model, "known_as", type(model).__name__)
        raise TracingError(
            f"{name} itself fails on the dummy inputs: {type(error).__name__}: {reason_of(error)}"
        ) from error


def reason_of(error: Exception) -> str:
    """What a framework says of an error, in one line."""
    told = str(error).split("Call arguments received", 1)[0]  # Keras lists the arguments of every layer
    return " ".join(_MARKUP.sub("", told).split())[:_LONGEST_REASON] or "no message"


def flatten_outputs(config: OnnxConfig, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of a model by name, nested ones flattened; ``past_key_values`` is called ``present``.

    Those of a part of a model are called as ``text_model_output.last_hidden_state``.
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
    """The declared outputs of a model's, in the declared order.

    Raises:
        ContractError: the model lacks one.
    """
    flat = flatten_outputs(config, outputs)
    missing = [name for name in config.outputs if name not in flat]
    if missing:
        raise ContractError(
            f"{model_class} has no output {', '.join(missing)}, which {type(config).__name__} declares for "
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
