"""What each module of a PyTorch model gives, in the order in which the modules end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from tfexport.backends.base import Layers


@contextmanager
def recorded(model: Any, layers: Layers) -> Iterator[None]:
    """Record every module of a model that is called within a block, by its path.

    Args:
        model: whose modules.
        layers: what is recorded is added to.
    """
    with ExitStack() as stack:
        for name, module in model.named_modules():
            handle = module.register_forward_hook(partial(_record, layers, name or type(model).__name__))
            stack.callback(handle.remove)
        yield


def _record(layers: Layers, name: str, module: Any, arguments: Any, outputs: Any) -> None:
    leaves, _ = torch.utils._pytree.tree_flatten(outputs)
    layers.add(name, leaves, _is_float, lambda value: value.numpy(force=True))


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()
