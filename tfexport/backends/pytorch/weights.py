"""Parameters and buffers of a model as views, under one name each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
from onnx_ir.tensor_adapters import TorchTensor

from tfexport.backends.weightless import SOURCE

LARGE_BUFFER_BYTES = 1024
"""Buffers that are no part of a checkpoint (position tables, causal masks) are weights from this size on, constants
of the graph below. GPT-Neo's masks alone would add 4 MiB a layer to the graph."""


_OF_KERAS = re.compile(r"^keras\.(?:.*\.)?_torch_params\.")
"""Where Keras keeps its variables in a model that runs on PyTorch; what follows is the path that they have everywhere."""


def weight_names(model: Any) -> dict[str, str]:
    """Every name in a model's state dict, with the name that its tensor has in a graph: the first of those it shares.

    A variable of Keras has Keras's own path, as it has in a file made from TensorFlow.
    """
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), _OF_KERAS.sub("", name))
        for name, tensor in model.state_dict(keep_vars=True).items()
    }


def weights_of(model: Any) -> dict[str, ir.TensorProtocol]:
    """The tensors of a model's state dict by name, tied ones once. They are views: nothing is copied."""
    names = weight_names(model)
    weights: dict[str, ir.TensorProtocol] = {}
    for own_name, tensor in model.state_dict(keep_vars=True).items():
        name = names[own_name]
        if name in weights:
            continue
        weights[name] = TorchTensor(tensor.detach(), name=name)
        weights[name].meta[SOURCE] = id(tensor)
    return weights


@contextmanager
def large_buffers_in_state_dict(model: Any) -> Iterator[None]:
    """Make large buffers part of the state dict, from which TorchScript takes a graph's weights, during a block."""
    changed: list[tuple[set[str], set[str]]] = []
    try:
        for module in model.modules():
            absent = module._non_persistent_buffers_set
            large = {name for name in absent if _bytes(module._buffers[name]) >= LARGE_BUFFER_BYTES}
            absent -= large
            changed.append((absent, large))
        yield
    finally:
        for absent, large in changed:
            absent |= large


def _bytes(tensor: Any) -> int:
    return 0 if tensor is None else int(tensor.numel() * tensor.element_size())
