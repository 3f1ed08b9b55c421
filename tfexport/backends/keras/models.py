"""A live model of Keras 3 as a plain model: its inputs and outputs by name."""

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
"""Layers of both Keras that look things up in tables, or hash strings."""
_FIRST = "input_shape"


def plain_model(model: Any, framework: Framework, source: str) -> SignatureModel:
    """A live model of Keras 3 as a plain one.

    Args:
        model: a ``keras.Model``.
        framework: on which Keras runs.
        source: its name, for messages.

    Raises:
        UnsupportedCheckpointError: it looks words up in tables, or takes what is no plain tensor.
        InputsError: it has never been called, so that its inputs are not known.
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
        keys = list(declared) if isinstance(declared, Mapping) else []  # PyTorch's Keras gives them sorted

        def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            packed = keras.tree.pack_sequence_as(structure, [tensors[name] for name in names])
            found = model(packed, training=False)
            return flat_outputs({key: found[key] for key in keys} if keys else found, outputs)

        order = list(structure) if isinstance(structure, Mapping) else names  # flattened, a mapping is sorted
        specs.sort(key=lambda spec: order.index(spec.name) if spec.name in order else len(order))
        return SignatureModel(type(model).__name__, tuple(specs), call, loaded_by, keras.ops, kept=model)
    return _subclassed(model, source, loaded_by, keras.ops)


def _guessed(tensor: Any) -> bool:
    """Whether an input was made for a model that was built by calling it, and not by its author."""
    return str(tensor._keras_history.operation.name).startswith("input_layer") and tensor.shape[0] is not None


def _free_batch(spec: TensorSpec, *, built_by_call: bool) -> TensorSpec:
    """A model that was built by its first call has that call's batch for its own."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:])) if built_by_call and spec.shape else spec


def _subclassed(model: Any, source: str, loaded_by: str, ops: Any) -> SignatureModel:
    """A model that is Python code: what is known of its inputs is with what shapes it was built."""
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

    return SignatureModel(type(model).__name__, tuple(specs.values()), call, loaded_by, ops, kept=model)


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


def _spec(name: str, tensor: Any, source: str) -> TensorSpec:
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise UnsupportedCheckpointError(
            f"{source} takes {name} as a sparse or ragged tensor: ONNX has plain ones. Export the model behind it."
        )
    if tensor.dtype == "string":
        raise takes_strings(source, name)
    return TensorSpec(name, str(tensor.dtype), tuple(tensor.shape))


def refuse_lookups(model: Any, source: str) -> None:
    """Refuse a model, of either Keras, that has layers which look things up.

    Raises:
        UnsupportedCheckpointError: it has.
    """
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()
    found = [f"{layer.name} ({type(layer).__name__})" for layer in layers if type(layer).__name__ in _LOOKUPS]
    if found:
        raise UnsupportedCheckpointError(
            f"{source} looks words up in tables: {', '.join(found)}. ONNX has no counterpart. Export the model behind them, "
            "keras.Model(those layers' outputs, model.outputs), and keep the lookup in the program that feeds it."
        )


def never_called(source: str) -> InputsError:
    """The error for a model whose inputs are not known."""
    return InputsError(
        f"{source} is a model that is Python code, and its inputs are not known: it has never been called, or Keras could not "
        "follow its code. Call it once, or give tfexport.export_checkpoint a tf.function of it with an input_signature."
    )
