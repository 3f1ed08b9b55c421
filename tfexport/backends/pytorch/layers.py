"""Outputs of each module of a PyTorch model, in the order in which the modules end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from tfexport.backends.base import Layers
from tfexport.backends.keras import keras_on
from tfexport.backends.keras.layers import recorded_calls


@contextmanager
def recorded_modules(model: Any, layers: Layers) -> Iterator[None]:
    """Record every module of a model that is called in a block, by its path.

    Args:
        model: The model.
        layers: Mapping to which the outputs are added.
    """
    with ExitStack() as stack:
        for name, module in model.named_modules():
            handle = module.register_forward_hook(partial(_record, layers, name or type(model).__name__))
            stack.callback(handle.remove)
        yield


def recorded_keras_layers(layers: Layers) -> AbstractContextManager[None]:
    """Record every layer of Keras that is called in a block: layers call one another without torch's hooks.

    Args:
        layers: Mapping to which the outputs are added.
    """
    return recorded_calls((keras_on("pt").layers.Layer,), layers, _flat, _is_float, _array)


def _record(layers: Layers, name: str, module: Any, arguments: Any, outputs: Any) -> None:
    layers.add(name, _flat(outputs), _is_float, _array)


def _flat(outputs: Any) -> Any:
    leaves, _ = torch.utils._pytree.tree_flatten(outputs)
    return leaves


def _array(value: Any) -> Any:
    return value.numpy(force=True)


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()
