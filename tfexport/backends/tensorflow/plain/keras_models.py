"""A live Keras model, of Keras 3 or of tf_keras, as a plain model: its inputs and outputs by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from tfexport.backends.tensorflow.plain.model import PlainModel, flat_outputs, tensor_spec, unique
from tfexport.errors import FrameworkError, InputsError, UnsupportedCheckpointError
from tfexport.signature import TensorSpec

_LOOKUPS = ("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing")
"""Layers of both Keras that look things up in tables, or hash strings."""
_FIRST = "input_shape"


def is_keras_model(value: Any) -> bool:
    """Whether an object is a model of Keras 3 or of tf_keras."""
    return isinstance(value, (keras.Model, tf_keras.Model))


def plain_model(model: Any, source: str) -> PlainModel:
    """A live model as a plain one.

    Args:
        model: of Keras 3, with TensorFlow behind it, or of tf_keras.
        source: its name, for messages.

    Raises:
        UnsupportedCheckpointError: it looks words up in tables, or takes what is no plain tensor.
        InputsError: it has never been called, so that its inputs are not known.
        FrameworkError: Keras runs on another framework in this process.
    """
    modern = isinstance(model, keras.Model)
    if modern and keras.backend.backend() != "tensorflow":
        raise FrameworkError(
            f"{source} is a Keras model, and Keras runs on {keras.backend.backend()} in this process. Set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
    _refuse_lookups(model, source)
    return _keras_3(model, source) if modern else _tf_keras(model, source)


def _keras_3(model: Any, source: str) -> PlainModel:
    loaded_by = f"keras {keras.__version__}"
    # A Sequential model has a functional one inside, once it is built.
    functional = model if hasattr(model, "_inputs_struct") else getattr(model, "_functional", None)
    if functional is not None and getattr(functional, "inputs", None):
        structure = functional._inputs_struct
        names = unique([tensor._keras_history.operation.name for tensor in functional.inputs])
        specs = [
            _free_batch(tensor_spec(name, tensor, source), built_by_call=functional is not model and _guessed(tensor))
            for name, tensor in zip(names, functional.inputs, strict=True)
        ]
        outputs = unique([str(name) for name in functional.output_names])

        def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            packed = keras.tree.pack_sequence_as(structure, [tensors[name] for name in names])
            return flat_outputs(model(packed, training=False), outputs)

        order = list(structure) if isinstance(structure, Mapping) else names  # flattened, a mapping is sorted
        specs.sort(key=lambda spec: order.index(spec.name) if spec.name in order else len(order))
        return PlainModel(type(model).__name__, tuple(specs), call, loaded_by, kept=model)
    return _subclassed(model, source, loaded_by)


def _guessed(tensor: Any) -> bool:
    """Whether an input was made for a model that was built by calling it, and not by its author."""
    return str(tensor._keras_history.operation.name).startswith("input_layer") and tensor.shape[0] is not None


def _free_batch(spec: TensorSpec, *, built_by_call: bool) -> TensorSpec:
    """A model that was built by its first call has that call's batch for its own."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:])) if built_by_call and spec.shape else spec


def _subclassed(model: Any, source: str, loaded_by: str) -> PlainModel:
    """A model that is Python code: what is known of its inputs is with what shapes it was built."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise _never_called(source)
    parameters = [name for name in inspect.signature(model.call).parameters if name != "training"]
    arguments: dict[str, Any] = {}
    for key, shape in shapes.items():
        called = parameters[0] if key == _FIRST else key.removesuffix("_shape")
        arguments[called] = shape
    unknown = [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if name not in arguments and name in parameters and parameter.default is parameter.empty
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if unknown:
        raise InputsError(
            f"{source} takes {', '.join(parameters)}, and Keras remembers no shape of {', '.join(unknown)}. Give it a method "
            f"build({', '.join(f'{name}_shape' for name in parameters)}), or give tfexport.export_checkpoint a tf.function of "
            "it with an input_signature."
        )
    dtype = str(model.input_dtype)
    specs: dict[str, TensorSpec] = {}
    build: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for argument, shape in arguments.items():
        alone = len(arguments) == 1
        build[argument] = _structure(shape, "" if alone else argument, argument, dtype, source, specs)

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        made = {argument: function(tensors) for argument, function in build.items()}
        first, *others = made.items()
        return flat_outputs(model(first[1], **dict(others), training=False))

    return PlainModel(type(model).__name__, tuple(specs.values()), call, loaded_by, kept=model)


def _structure(
    shape: Any, prefix: str, alone: str, dtype: str, source: str, specs: dict[str, TensorSpec]
) -> Callable[[Mapping[str, Any]], Any]:
    """What makes an argument of tensors by name; `specs` gets one a tensor."""
    if isinstance(shape, Mapping):
        parts = {
            key: _structure(item, f"{prefix}.{key}" if prefix else str(key), alone, dtype, source, specs)
            for key, item in shape.items()
        }
        return lambda tensors: {key: part(tensors) for key, part in parts.items()}
    if isinstance(shape, Sequence) and not all(length is None or isinstance(length, int) for length in shape):
        items = [
            _structure(item, f"{prefix or alone}.{index}", alone, dtype, source, specs)
            for index, item in enumerate(shape)
        ]
        container = list if isinstance(shape, list) else tuple
        return lambda tensors: container(item(tensors) for item in items)
    name = prefix or alone
    specs[name] = TensorSpec(name, dtype, (None, *tuple(shape)[1:]))
    return lambda tensors: tensors[name]


def _tf_keras(model: Any, source: str) -> PlainModel:
    loaded_by = f"tf_keras {tf_keras.__version__}"
    if getattr(model, "_is_graph_network", False):
        names = unique([str(name) for name in model.input_names])
        specs = [tensor_spec(name, each.type_spec, source) for name, each in zip(names, model.inputs, strict=True)]
        outputs = unique([str(name) for name in model.output_names])
        nested = model._nested_inputs

        def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            packed = tf.nest.pack_sequence_as(nested, [tensors[name] for name in names])
            return flat_outputs(model(packed, training=False), outputs)

        return PlainModel(type(model).__name__, tuple(specs), call, loaded_by, kept=model)
    saved = model.save_spec()
    if saved is None:
        raise _never_called(source)
    positional, named = saved
    parameters = [name for name in inspect.signature(model.call).parameters if name != "training"]
    arguments = dict(zip(parameters, positional, strict=False)) | {k: v for k, v in named.items() if k != "training"}
    alone = len(arguments) == 1
    specs_by_name: dict[str, TensorSpec] = {}
    for argument, structure in arguments.items():
        for path, spec in _flattened(structure, "" if alone else argument):
            specs_by_name[path or argument] = tensor_spec(path or argument, spec, source)

    def call_subclassed(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        remaining = iter([tensors[name] for name in specs_by_name])
        made = {
            argument: tf.nest.pack_sequence_as(structure, [next(remaining) for _ in tf.nest.flatten(structure)])
            for argument, structure in arguments.items()
        }
        first, *others = made.items()
        return flat_outputs(model(first[1], **dict(others), training=False))

    return PlainModel(type(model).__name__, tuple(specs_by_name.values()), call_subclassed, loaded_by, kept=model)


def _flattened(structure: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Leaves of a structure with their paths, in the order of ``tf.nest.flatten``."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from _flattened(structure[key], f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(structure, (list, tuple)):
        for index, item in enumerate(structure):
            yield from _flattened(item, f"{prefix}.{index}" if prefix else f"input_{index}")
    else:
        yield prefix, structure


def _refuse_lookups(model: Any, source: str) -> None:
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()
    found = [f"{layer.name} ({type(layer).__name__})" for layer in layers if type(layer).__name__ in _LOOKUPS]
    if found:
        raise UnsupportedCheckpointError(
            f"{source} looks words up in tables: {', '.join(found)}. ONNX has no counterpart. Export the model behind them, "
            "keras.Model(those layers' outputs, model.outputs), and keep the lookup in the program that feeds it."
        )


def _never_called(source: str) -> InputsError:
    return InputsError(
        f"{source} is a model that is Python code, and its inputs are not known: it has never been called, or Keras could not "
        "follow its code. Call it once, or give tfexport.export_checkpoint a tf.function of it with an input_signature."
    )
