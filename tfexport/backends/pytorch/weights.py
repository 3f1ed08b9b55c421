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
"""Smallest size at which a buffer that a checkpoint does not hold (position table, causal mask) is a weight. Smaller ones are
constants of the graph. GPT-Neo's masks would add 4 MiB per layer to the graph."""


_OF_KERAS = re.compile(r"^keras\.(?:.*\.)?_torch_params\.")
"""Prefix of Keras's variables in a model that runs on PyTorch. The rest is the path that they have on every framework."""


def weight_names(model: Any) -> dict[str, str]:
    """Return the name in a graph of each entry of a model's state dict: a shared tensor has the first of its names.

    A variable of Keras has Keras's own path, as in a file made from TensorFlow.
    """
    first: dict[int, str] = {}
    return {
        name: first.setdefault(id(tensor), _OF_KERAS.sub("", name))
        for name, tensor in model.state_dict(keep_vars=True).items()
    }


def weights_of(model: Any) -> dict[str, ir.TensorProtocol]:
    """Return the tensors of a model's state dict by name, tied ones once. They are views: nothing is copied."""
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
    """Make large buffers part of the state dict during a block: TorchScript reads a graph's weights from there."""
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
