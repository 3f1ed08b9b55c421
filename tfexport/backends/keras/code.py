"""Code in the configuration of a Keras model: code that runs when the model is loaded or called, and is not Keras's own.

Keras 3 refuses most of it. A file that Keras 3 does not load goes to tf_keras, which refuses only Lambda layers: it imports any
module that a configuration names, and calls any function in it.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping
from typing import Any

CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__", "ClassMethod")
"""Classes that hold code: Python in a Lambda, a program in others, and the method of any class."""
_OPS = ("TFOpLambda", "SlicingOpLambda")
"""Layers of tf_keras that call a function of TensorFlow. Some of these functions read and write files, or call Python."""
_COMPUTING = (
    "math",
    "nn",
    "linalg",
    "image",
    "signal",
    "random",
    "bitwise",
    "dtypes",
    "__operators__",
)
_NOT_COMPUTING = (
    "print",
    "py_function",
    "numpy_function",
    "load_library",
    "load_op_library",
    "function",
    "import_graph_def",
)
_OF_KERAS = ("keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "builtins", "tensorflow")
_FUNCTIONS = ("activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers")
"""Modules of Keras whose functions only compute. Others load models, fetch and unpack files."""


def code_in(config: Any) -> list[str]:
    """Return the code in a configuration, sorted: the name of each layer, with the class or function in parentheses.

    A class or function that is registered with Keras is left out: the user imported the module that registers it.
    """
    return sorted({f"{_name(item, layer)} ({code})" for item, layer in objects(config) if (code := _code(item))})


def _code(item: Mapping[str, Any]) -> str | None:
    """Return the name of the code that an object of a configuration holds; None where it does not hold code."""
    class_name, config = str(item.get("class_name")), item.get("config")
    if class_name in CODE:
        return class_name
    if class_name in _OPS:
        function = str(config.get("function", "")) if isinstance(config, Mapping) else ""
        return None if _computes(function) else f"{class_name} of tf.{function}"
    module = item.get("module")
    if not isinstance(module, str) or "class_name" not in item:
        return None
    is_function = class_name == "function"
    called = str(config) if is_function else class_name
    if _is_registered(called if is_function else str(item.get("registered_name") or class_name)):
        return None
    package, *parts = module.split(".")
    if package not in _OF_KERAS:
        return f"{module}.{called}"
    if is_function:
        harmless = called not in vars(builtins) if module == "builtins" else any(part in _FUNCTIONS for part in parts)
    else:
        harmless = called[:1].isupper() or called.startswith("__")  # classes, and Keras's names of tuples and the like
    return None if harmless else f"{module}.{called}"


def _computes(function: str) -> bool:
    """Return whether a function of TensorFlow, by its name in the API, only computes."""
    namespace, _, name = function.removeprefix("compat.v1.").rpartition(".")
    return namespace in _COMPUTING or (not namespace and bool(name) and name not in _NOT_COMPUTING)


def _is_registered(name: str) -> bool:
    loaded = [module for package in ("keras", "tf_keras") if (module := sys.modules.get(package)) is not None]
    return any(module.saving.get_registered_object(name) is not None for module in loaded)


def _name(item: Mapping[str, Any], layer: str) -> str:
    config = item.get("config")
    return str(config.get("name", layer)) if isinstance(config, Mapping) else layer


def objects(config: Any, layer: str = "?") -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield every mapping in a configuration, with the name of the nearest layer around it."""
    if isinstance(config, Mapping):
        yield config, layer
        inner = _name(config, layer)
        for value in config.values():
            yield from objects(value, inner)
    elif isinstance(config, list):
        for value in config:
            yield from objects(value, layer)
