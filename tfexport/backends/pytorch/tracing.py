"""A PyTorch model as a function of exactly the declared inputs and outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tfexport.backends.base import check_inputs, declared_outputs, flat_inputs, mapped
from tfexport.backends.pytorch.keras_models import KerasModule
from tfexport.checkpoints.transformers_api import as_cache, as_encoder_outputs, as_tuples
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST

_ENCODER_OUTPUTS = "encoder_outputs"


class DeclaredModel(torch.nn.Module):  # type: ignore[misc]
    """A model that takes the declared inputs, positionally, and returns the declared outputs, as a tuple.

    Args:
        model: the model; its parameters are this module's, with the prefix ``model.``.
        config: the declaration.
        structure: what the model is called with, the declared names in the tensors' place.
    """

    PREFIX = "model."

    def __init__(self, model: Any, config: OnnxConfig, structure: Mapping[str, Any]) -> None:
        super().__init__()
        self.training = False  # not `eval()`, which would write into the model
        self.model = model
        self._onnx_config = config
        self._structure = structure

    def forward(self, *tensors: Any) -> tuple[Any, ...]:
        """Run the model."""
        by_name = dict(zip(self._onnx_config.inputs, tensors, strict=True))
        outputs = call_model(
            self.model, self._onnx_config, {name: mapped(value, by_name.get) for name, value in self._structure.items()}
        )
        return tuple(declared_outputs(self._onnx_config, outputs, type(self.model).__name__).values())


@dataclass(frozen=True)
class TraceArguments:
    """What both exporters need.

    Attributes:
        module: the model as a function of the declared inputs.
        model: the model itself.
        config: the declaration.
        tensors: the tensors to trace with, in the declared order.
    """

    module: DeclaredModel
    model: Any
    config: OnnxConfig
    tensors: tuple[Any, ...]


def trace_arguments(model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> TraceArguments:
    """Wrap a model for tracing.

    Args:
        model: a ``PreTrainedModel``.
        config: the declaration.
        inputs: the arrays to trace with; nested ones are flattened as the declaration says.

    Raises:
        ContractError: the model does not take a declared input, or no array was given for one.
    """
    check_call(model, config)
    structure, flat = flat_inputs(config, inputs)
    module = DeclaredModel(model, config, structure)
    return TraceArguments(module, model, config, tuple(as_input(flat[name], model) for name in config.inputs))


def check_call(model: Any, config: OnnxConfig) -> None:
    """Refuse a declared input that the model does not take.

    Raises:
        ContractError: there is one.
    """
    if not isinstance(model, KerasModule):
        check_inputs(config._submodel_(model).forward, model, config)


def as_input(array: np.ndarray, model: Any) -> Any:
    """An array as an input of a model: a copy, on the model's device, integers as int64."""
    dtype = torch.int64 if array.dtype == np.int32 else None
    device = next((parameter.device for parameter in model.parameters()), None)
    return torch.tensor(array, dtype=dtype, device=device)


def call_model(
    model: Any,
    config: OnnxConfig,
    tensors: Mapping[str, Any],
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Return the outputs of the model, or of the part of it that the declaration describes, by name.

    A key-value cache is nested tuples on both sides.

    Args:
        model: The framework's model.
        config: Declaration of the model, or of a part.
        tensors: Inputs by name.
        guard: Context in which the model is called, and nothing else.
    """
    if isinstance(model, KerasModule):
        with guard():
            return dict(model(**tensors))
    submodel = config._submodel_(model)
    arguments = config._arguments_(tensors, _zeros)
    if PAST in arguments:
        arguments[PAST] = as_cache(arguments[PAST])
    if isinstance(arguments.get(_ENCODER_OUTPUTS), tuple):
        arguments[_ENCODER_OUTPUTS] = as_encoder_outputs(arguments[_ENCODER_OUTPUTS], "pt")
    if _takes(submodel.forward, "return_dict"):
        arguments["return_dict"] = True
    with guard():
        outputs = submodel(**arguments)
    return {name: as_tuples(value) for name, value in outputs.items()}


def _zeros(key: Any, width: int) -> Any:
    """Zeros ``(batch, length, width)`` for a key ``(batch, heads, length, size)``."""
    return torch.zeros_like(key[:, 0, :, :1]).expand(-1, -1, width)


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, or what transformers has wrapped it in, takes a keyword: RagModel's returns names always."""
    parameters = inspect.signature(function, follow_wrapped=False).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


@contextmanager
def for_inference(model: Any) -> Iterator[None]:
    """Inference mode of every module of a model, and no gradients, for the duration of a block."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
