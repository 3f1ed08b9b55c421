"""A model of tf_keras as a model that declares itself: its inputs and outputs by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from tfexport.backends.keras.models import never_called, refuse_lookups
from tfexport.backends.signature_model import SignatureModel, flat_outputs, unique
from tfexport.backends.tensorflow.signature_models.specs import tensor_spec
from tfexport.checkpoints.signature import TensorSpec


def model_of_tf_keras(model: Any, source: str) -> SignatureModel:
    """Make a model that declares itself of one of tf_keras.

    Raises:
        UnsupportedCheckpointError: The model looks words up in tables, or takes ragged or sparse tensors.
        InputsError: The model has never been called, so that its inputs are not known.
    """
    refuse_lookups(model, source)
    loaded_by = f"tf_keras {tf_keras.__version__}"
    if getattr(model, "_is_graph_network", False):
        names = unique([str(name) for name in model.input_names])
        specs = [tensor_spec(name, each.type_spec, source) for name, each in zip(names, model.inputs, strict=True)]
        outputs = unique([str(name) for name in model.output_names])
        nested = model._nested_inputs

        def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            packed = tf.nest.pack_sequence_as(nested, [tensors[name] for name in names])
            return flat_outputs(model(packed, training=False), outputs)

        return SignatureModel(type(model).__name__, tuple(specs), call, loaded_by, tf, kept=model)
    saved = model.save_spec()
    if saved is None:
        raise never_called(source)
    positional, named = saved
    parameters = [name for name in inspect.signature(model.call).parameters if name != "training"]
    arguments = dict(zip(parameters, positional, strict=False)) | {k: v for k, v in named.items() if k != "training"}
    single = len(arguments) == 1
    specs_by_name: dict[str, TensorSpec] = {}
    for argument, structure in arguments.items():
        for path, spec in _flattened(structure, "" if single else argument):
            specs_by_name[path or argument] = tensor_spec(path or argument, spec, source)

    def call_subclassed(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        remaining = iter([tensors[name] for name in specs_by_name])
        made = {
            argument: tf.nest.pack_sequence_as(structure, [next(remaining) for _ in tf.nest.flatten(structure)])
            for argument, structure in arguments.items()
        }
        first, *others = made.items()
        return flat_outputs(model(first[1], **dict(others), training=False))

    return SignatureModel(
        type(model).__name__, tuple(specs_by_name.values()), call_subclassed, loaded_by, tf, kept=model
    )


def _flattened(structure: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a structure with their paths, in the order of ``tf.nest.flatten``."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from _flattened(structure[key], f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(structure, (list, tuple)):
        for index, item in enumerate(structure):
            yield from _flattened(item, f"{prefix}.{index}" if prefix else f"input_{index}")
    else:
        yield prefix, structure
