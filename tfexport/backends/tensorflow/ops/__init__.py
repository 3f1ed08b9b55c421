"""Handlers for the TensorFlow ops that tf2onnx 1.17.0 lacks or maps wrongly: one file an op.

Each module has `HANDLERS`: op type -> function that replaces a TensorFlow node in a tf2onnx graph.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

_MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))

HANDLERS: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    name: (function, []) for module in _MODULES for name, function in module.HANDLERS.items()
}
"""By op type, in the form that tf2onnx's ``custom_op_handlers`` takes."""
