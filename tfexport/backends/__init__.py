"""The two backends behind one interface. A framework is imported when its backend is first requested."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from tfexport.backends.base import Backend, LoadedModel
from tfexport.checkpoints.framework import EXTRAS, FRAMEWORK_NAMES, Framework
from tfexport.errors import FrameworkNotInstalledError, UnsupportedError
from tfexport.processes.locks import exclusive

_REQUIRED: dict[Framework, tuple[str, ...]] = {
    "pt": ("torch",),
    "tf": ("tensorflow", "tf_keras", "tf2onnx"),
}
_MODULES: dict[Framework, str] = {"pt": "tfexport.backends.pytorch", "tf": "tfexport.backends.tensorflow"}
_BASE_CLASSES: dict[Framework, tuple[str, ...]] = {
    "pt": ("torch.nn.modules.module.Module",),
    "tf": ("tf_keras.src.engine.training.Model", "transformers.modeling_tf_utils.TFPreTrainedModel"),
}


def missing_packages(framework: Framework) -> tuple[str, ...]:
    """Return the packages that a backend needs and that are not installed."""
    return tuple(package for package in _REQUIRED[framework] if find_spec(package) is None)


def installed_frameworks() -> frozenset[Framework]:
    """Return the frameworks whose backend has all its packages. None of them is imported."""
    return frozenset(framework for framework in _REQUIRED if not missing_packages(framework))


@exclusive
@cache
def get_backend(framework: Framework) -> Backend:
    """Return the backend of a framework.

    Raises:
        FrameworkNotInstalledError: A package that the backend needs is not installed.
    """
    missing = missing_packages(framework)
    if missing:
        raise FrameworkNotInstalledError(
            f"the {FRAMEWORK_NAMES[framework]} backend needs {', '.join(missing)}, which is not installed. "
            f"Install {EXTRAS[framework]}."
        )
    return cast(Backend, import_module(_MODULES[framework]).BACKEND)


def backend_of(model: Any) -> Backend:
    """Return the backend of a loaded model, by its base classes.

    Raises:
        UnsupportedError: The model is neither a PyTorch module nor a tf_keras model, or lacks a configuration.
    """
    bases = {f"{base.__module__}.{base.__qualname__}" for base in type(model).__mro__}
    for framework, names in _BASE_CLASSES.items():
        if bases.intersection(names) and hasattr(model, "config"):
            return get_backend(framework)
    raise UnsupportedError(
        f"{type(model).__name__} is not a PyTorch or TensorFlow (tf_keras) model of transformers. Expected a model "
        "with a `config`."
    )


__all__ = ["Backend", "LoadedModel", "backend_of", "get_backend", "installed_frameworks", "missing_packages"]
