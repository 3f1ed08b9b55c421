"""The interface of a caller: how one kind of model is called with the inputs of a declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from tfexport.declarations.onnx_config import OnnxConfig

ENCODER_OUTPUTS = "encoder_outputs"
"""Argument of an encoder-decoder of transformers that takes the place of the encoder's inputs."""

Guard = Callable[[], AbstractContextManager[None]]


class Caller(Protocol):
    """Calls one model. Each backend adds its own members."""

    def check(self, config: OnnxConfig) -> None:
        """Refuse a declaration that the model cannot be called with.

        Raises:
            ContractError: The model does not accept a declared input.
        """

    def call(self, config: OnnxConfig, tensors: Mapping[str, Any], guard: Guard = nullcontext) -> dict[str, Any]:
        """Call the model, or the part of it that a declaration describes, and return its outputs by name.

        Args:
            config: The declaration.
            tensors: Tensors by declared name. A key-value cache is a tuple ``(key, value, ...)`` per layer, in inputs and
                outputs, each ``(batch, heads, length, head size)``.
            guard: Makes the context in which only the model itself is called.
        """
