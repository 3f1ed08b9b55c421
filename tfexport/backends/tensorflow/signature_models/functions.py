"""A ``tf.function``, or one of its concrete functions, as a model that declares itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfexport.backends.signature_model import SignatureModel, flat_outputs
from tfexport.backends.tensorflow.signature_models.specs import tensor_spec
from tfexport.checkpoints.signature import TensorSpec
from tfexport.errors import InputsError, TracingError


def is_function(value: Any) -> bool:
    """Whether an object is a ``tf.function`` or a concrete function."""
    return isinstance(value, (tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction))


def model_of_function(
    function: Any, source: str, name: str = "tf.function", kept: Any = None, order: tuple[str, ...] = ()
) -> SignatureModel:
    """Make a model of a function.

    Args:
        function: A concrete function, or one with an ``input_signature``.
        source: Name of the function, for messages.
        name: Name of the signature, for the manifest.
        kept: Any object that must live as long as the model.
        order: Names of inputs in the order of the model's inputs; the others follow in the function's order.

    Raises:
        InputsError: The function has no signature.
        TracingError: The function cannot be traced.
    """
    concrete = _concrete(function, source)
    positional, named = concrete.structured_input_signature
    names = _argument_names(concrete, len(positional))
    structure = {**dict(zip(names, positional, strict=True)), **named}
    specs: dict[str, TensorSpec] = {}
    for argument, part in structure.items():
        flat = tf.nest.flatten(part)
        for index, spec in enumerate(flat):
            if not isinstance(spec, tf.TypeSpec):
                continue  # a Python value that was fixed when the function was traced
            called = argument if len(flat) == 1 else str(spec.name or f"{argument}_{index}")
            specs[called] = tensor_spec(called, spec, source)
    first = sorted(specs, key=lambda name: order.index(name) if name in order else len(order))

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        remaining = iter([tensors[name] for name in specs])
        made = {
            argument: tf.nest.map_structure(
                lambda spec: next(remaining) if isinstance(spec, tf.TypeSpec) else spec, part
            )
            for argument, part in structure.items()
        }
        arguments = [made[name] for name in names]
        return flat_outputs(concrete(*arguments, **{name: made[name] for name in named}))

    return SignatureModel(
        name,
        tuple(specs[name] for name in first),
        call,
        f"tensorflow {tf.__version__}",
        tf,
        kept=(concrete, kept),
    )


def _concrete(function: Any, source: str) -> Any:
    if isinstance(function, tf.types.experimental.ConcreteFunction):
        return function
    try:
        return function.get_concrete_function()
    except (ValueError, TypeError) as error:
        if getattr(function, "input_signature", None) is not None:
            raise TracingError(f"{source} cannot be traced: {error}") from error
        raise InputsError(
            f"{source} is a tf.function without an input_signature: its inputs are not known. Add an input_signature, or "
            "pass function.get_concrete_function(tf.TensorSpec(...), ...)."
        ) from error


def _argument_names(concrete: Any, number: int) -> list[str]:
    names = [parameter.name for parameter in concrete.function_type.parameters.values()][:number]
    return names if len(names) == number else [f"input_{index}" for index in range(number)]
