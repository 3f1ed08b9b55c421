"""What ONNX Runtime raises, and the error where it is not installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from tfexport.errors import RuntimeNotInstalledError

_RAISED = (
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "NoSuchFile",
    "NotImplemented",
    "RuntimeException",
)


def import_runtime() -> Any:
    """Import ONNX Runtime.

    Raises:
        RuntimeNotInstalledError: it is not installed.
    """
    try:
        return import_module("onnxruntime")
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise RuntimeNotInstalledError(
            "ONNX Runtime is not installed, and every exported file is validated with it. Install tfexport[cpu], or "
            "tfexport[gpu] on a machine with an NVIDIA GPU."
        ) from error


@cache
def runtime_errors() -> tuple[type[Exception], ...]:
    """Return the classes of what ONNX Runtime raises on a file or on inputs, for an ``except`` clause."""
    import_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (*(getattr(state, name) for name in _RAISED), RuntimeError, ValueError)
