"""Handlers for the TensorFlow ops that tf2onnx 1.17.0 lacks or maps wrongly: one file per op.

Each module has `VERSIONS`, the versions of tf2onnx that lack the op or map it wrongly, and `HANDLERS`, the `Handler` that
replaces a node, by op type. Adding a module edits no list.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from tfexport.backends.tensorflow.op_handler import Handler
from tfexport.backends.versions import applicable

MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def collected(modules: Iterable[Any]) -> dict[str, tuple[Handler, list[Any]]]:
    """Return the handlers of modules by op type, in the form of tf2onnx's ``custom_op_handlers``.

    Raises:
        ValueError: Two modules have a handler for one op.
    """
    owners: dict[str, str] = {}
    handlers: dict[str, tuple[Handler, list[Any]]] = {}
    for module in modules:
        for op_type, handler in module.HANDLERS.items():
            if op_type in owners:
                raise ValueError(
                    f"{owners[op_type]} and {module.__name__} both have a handler for {op_type}: remove one."
                )
            owners[op_type] = module.__name__
            handlers[op_type] = (handler, [])
    return handlers


HANDLERS = collected(applicable(MODULES))
