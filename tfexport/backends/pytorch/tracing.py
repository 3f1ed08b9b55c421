"""Tracing of a PyTorch model as a function of exactly the declared inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tfexport.backends.base import declared_outputs, flat_inputs, mapped
from tfexport.backends.pytorch.calling import caller_of
from tfexport.declarations.onnx_config import OnnxConfig


class DeclaredModel(torch.nn.Module):  # type: ignore[misc]
    """A model that accepts the declared inputs by position and returns the declared outputs as a tuple.

    Args:
        model: The model. Its parameters are this module's, with the prefix ``model.``.
        config: The declaration.
        structure: Nested inputs of the model, with declared names in place of tensors.
    """

    PREFIX = "model."

    def __init__(self, model: Any, config: OnnxConfig, structure: Mapping[str, Any]) -> None:
        super().__init__()
        self.training = False  # not `eval()`, which would write into the model
        self.model = model
        self._caller = caller_of(model)
        self._onnx_config = config
        self._structure = structure

    def forward(self, *tensors: Any) -> tuple[Any, ...]:
        """Run the model."""
        by_name = dict(zip(self._onnx_config.inputs, tensors, strict=True))
        nested = {name: mapped(value, by_name.get) for name, value in self._structure.items()}
        outputs = self._caller.call(self._onnx_config, nested)
        return tuple(declared_outputs(self._onnx_config, outputs, type(self.model).__name__).values())


@dataclass(frozen=True)
class TraceArguments:
    """Arguments of both exporters.

    Attributes:
        module: Function of the declared inputs.
        model: Unwrapped model.
        config: Declaration of the model.
        tensors: Tensors to trace with, in the declared order.
    """

    module: DeclaredModel
    model: Any
    config: OnnxConfig
    tensors: tuple[Any, ...]


def trace_arguments(model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> TraceArguments:
    """Wrap a model for tracing.

    Args:
        model: A ``PreTrainedModel``, or a `KerasModule`.
        config: The declaration.
        inputs: Arrays to trace with; nested ones are flattened as the declaration defines.

    Raises:
        ContractError: The model does not accept a declared input, or an array is missing.
    """
    caller_of(model).check(config)
    structure, flat = flat_inputs(config, inputs)
    module = DeclaredModel(model, config, structure)
    return TraceArguments(module, model, config, tuple(as_input(flat[name], model) for name in config.inputs))


def as_input(array: np.ndarray, model: Any) -> Any:
    """Return an array as an input of a model: a copy on the model's device, with int32 as int64."""
    dtype = torch.int64 if array.dtype == np.int32 else None
    device = next((parameter.device for parameter in model.parameters()), None)
    return torch.tensor(array, dtype=dtype, device=device)


@contextmanager
def for_inference(model: Any) -> Iterator[None]:
    """Put every module of a model in inference mode, without gradients, during a block."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
