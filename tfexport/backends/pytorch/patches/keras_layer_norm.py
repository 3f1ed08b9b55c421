"""Keras's layer normalisation over axes whose lengths are Python numbers.

Keras 3.15 reads these lengths from the input's shape, which in a trace consists of tensors. torch 2.13's TorchScript
exporter requires numbers. The lengths are constant, because the weights have them too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")


def specs() -> list[PatchingSpec]:
    """Return the patch if Keras is imported."""
    functional = torch.nn.functional
    return (
        [PatchingSpec(functional, "layer_norm", _with_numbers(functional.layer_norm))] if "keras" in sys.modules else []
    )


def _with_numbers(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def layer_norm(x: Any, normalized_shape: Sequence[Any], *arguments: Any, **named: Any) -> Any:
        numbers = [int(length) if isinstance(length, torch.Tensor) else length for length in normalized_shape]
        return original(x, numbers, *arguments, **named)

    return layer_norm
