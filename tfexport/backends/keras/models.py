"""A live model of Keras 3 as a model that declares itself: its inputs and outputs by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfexport.backends.keras import keras_on
from tfexport.backends.signature_model import SignatureModel, flat_outputs, takes_strings, unique
from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import InputsError, UnsupportedCheckpointError

_LOOKUPS = ("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing")
"""Layers of Keras 3 and tf_keras that look values up in tables, or hash strings."""
_FIRST = "input_shape"


def model_of_keras(model: Any, framework: Framework, source: str) -> SignatureModel:
    """Return a live model of Keras 3 as a model that declares itself.

    Args:
        model: A ``keras.Model``.
        framework: Framework on which Keras runs.
        source: Name of the model, for messages.

    Raises:
        UnsupportedCheckpointError: The model looks words up in tables, or accepts inputs that are not dense tensors.
        InputsError: The model was never called, so that its inputs are not known.
        FrameworkError: Keras runs on another framework in this process.
    """
    keras = keras_on(framework)
    refuse_lookups(model, source)
    loaded_by = f"keras {keras.__version__}"
    # A Sequential model has a functional one inside, once it is built.
    functional = model if hasattr(model, "_inputs_struct") else getattr(model, "_functional", None)
    if functional is not None and getattr(functional, "inputs", None):
        structure = functional._inputs_struct
        names = unique([tensor._keras_history.operation.name for tensor in functional.inputs])
        specs = [
            _free_batch(_spec(name, tensor, source), built_by_call=functional is not model and _guessed(tensor))
            for name, tensor in zip(names, functional.inputs, strict=True)
        ]
        outputs = unique([str(name) for name in functional.output_names])
        declared = functional._outputs_struct
        keys = list(declared) if isinstance(declared, Mapping) else []  # Keras on PyTorch returns them sorted

        def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            packed = keras.tree.pack_sequence_as(structure, [tensors[name] for name in names])
            found = model(packed, training=False)
            return flat_outputs({key: found[key] for key in keys} if keys else found, outputs)

        order = list(structure) if isinstance(structure, Mapping) else names  # flattened, a mapping is sorted
        specs.sort(key=lambda spec: order.index(spec.name) if spec.name in order else len(order))
        return SignatureModel(type(model).__name__, tuple(specs), call, loaded_by, keras.ops, kept=model)
    return _subclassed(model, source, loaded_by, keras.ops)


def _guessed(tensor: Any) -> bool:
    """Return whether Keras made an input for a model that was built by calling it, and not the model's author."""
    return str(tensor._keras_history.operation.name).startswith("input_layer") and tensor.shape[0] is not None


def _free_batch(spec: TensorSpec, *, built_by_call: bool) -> TensorSpec:
    """Return an input with a dynamic batch, for a model that was built by its first call and keeps the batch of that call."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:])) if built_by_call and spec.shape else spec


def _subclassed(model: Any, source: str, loaded_by: str, ops: Any) -> SignatureModel:
    """Return a model that is Python code. Only the shapes with which it was built are known of its inputs."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise never_called(source)
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
            f"{source} accepts {', '.join(parameters)}, and Keras does not remember the shape of {', '.join(unknown)}. Add a "
            f"method build({', '.join(f'{name}_shape' for name in parameters)}), or pass tfexport.export_model a tf.function "
            "of it with an input_signature."
        )
    dtype = str(model.input_dtype)
    specs: dict[str, TensorSpec] = {}
    build: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for argument, shape in arguments.items():
        is_only = len(arguments) == 1
        build[argument] = _structure(shape, "" if is_only else argument, argument, dtype, source, specs)

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        made = {argument: function(tensors) for argument, function in build.items()}
        first, *others = made.items()
        return flat_outputs(model(first[1], **dict(others), training=False))

    return SignatureModel(type(model).__name__, tuple(specs.values()), call, loaded_by, ops, kept=model)


def _structure(
    shape: Any, prefix: str, argument: str, dtype: str, source: str, specs: dict[str, TensorSpec]
) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function that builds an argument from tensors by name, and add one spec per tensor to `specs`."""
    if isinstance(shape, Mapping):
        parts = {
            key: _structure(item, f"{prefix}.{key}" if prefix else str(key), argument, dtype, source, specs)
            for key, item in shape.items()
        }
        return lambda tensors: {key: part(tensors) for key, part in parts.items()}
    if isinstance(shape, Sequence) and not all(length is None or isinstance(length, int) for length in shape):
        items = [
            _structure(item, f"{prefix or argument}.{index}", argument, dtype, source, specs)
            for index, item in enumerate(shape)
        ]
        container = list if isinstance(shape, list) else tuple
        return lambda tensors: container(item(tensors) for item in items)
    name = prefix or argument
    specs[name] = TensorSpec(name, dtype, (None, *tuple(shape)[1:]))
    return lambda tensors: tensors[name]


def _spec(name: str, tensor: Any, source: str) -> TensorSpec:
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise UnsupportedCheckpointError(
            f"{source} accepts {name} as a sparse or ragged tensor, and ONNX has only dense tensors. Export the model "
            "behind it."
        )
    if tensor.dtype == "string":
        raise takes_strings(source, name)
    return TensorSpec(name, str(tensor.dtype), tuple(tensor.shape))


def refuse_lookups(model: Any, source: str) -> None:
    """Refuse a model, of Keras 3 or tf_keras, with layers that look values up.

    Raises:
        UnsupportedCheckpointError: The model has such layers.
    """
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()
    found = [f"{layer.name} ({type(layer).__name__})" for layer in layers if type(layer).__name__ in _LOOKUPS]
    if found:
        raise UnsupportedCheckpointError(
            f"{source} looks words up in tables: {', '.join(found)}. ONNX has no counterpart. Export the model behind them, "
            "keras.Model(those layers' outputs, model.outputs), and keep the lookup in the program that calls the file."
        )


def never_called(source: str) -> InputsError:
    """Return the error for a model whose inputs are not known."""
    return InputsError(
        f"{source} is a model in Python code whose inputs are not known: it was never called, or Keras could not follow its "
        "code. Call it once, or pass tfexport.export_model a tf.function of it with an input_signature."
    )
