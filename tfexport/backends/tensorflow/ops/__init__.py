"""Handlers for the TensorFlow ops that tf2onnx 1.17.0 lacks or maps wrongly: one file per op.

Each module has `VERSIONS`, the versions of tf2onnx that lack the op or map it wrongly, and `HANDLERS`: op type -> function
that replaces a TensorFlow node in a tf2onnx graph.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from tfexport.backends.versions import applicable

MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))

HANDLERS: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    name: (function, []) for module in applicable(MODULES) for name, function in module.HANDLERS.items()
}
"""Handlers by op type, in the form of tf2onnx's ``custom_op_handlers``."""
