"""Outputs of each module of a PyTorch model, in the order in which the modules end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from tfexport.backends.base import Layers
from tfexport.backends.keras import keras_on
from tfexport.backends.keras.layers import recorded_calls
from tfexport.backends.pytorch.keras_models import KerasModule


@contextmanager
def recorded(model: Any, layers: Layers) -> Iterator[None]:
    """Record every module of a model that is called within a block, by its path; of a Keras model every layer.

    Args:
        model: whose modules.
        layers: what is recorded is added to.
    """
    if isinstance(model, KerasModule):
        classes = (keras_on("pt").layers.Layer,)  # which call one another without torch's hooks
        with recorded_calls(classes, layers, _flat, _is_float, _array):
            yield
        return
    with ExitStack() as stack:
        for name, module in model.named_modules():
            handle = module.register_forward_hook(partial(_record, layers, name or type(model).__name__))
            stack.callback(handle.remove)
        yield


def _record(layers: Layers, name: str, module: Any, arguments: Any, outputs: Any) -> None:
    layers.add(name, _flat(outputs), _is_float, _array)


def _flat(outputs: Any) -> Any:
    leaves, _ = torch.utils._pytree.tree_flatten(outputs)
    return leaves


def _array(value: Any) -> Any:
    return value.numpy(force=True)


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()
