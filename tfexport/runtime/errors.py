"""The errors that ONNX Runtime raises, and ours where it is not installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from tfexport.errors import RuntimeNotInstalledError

_RUNTIME = "onnxruntime"
_EXTRAS = "tfexport[cpu], or tfexport[gpu] on a machine with an NVIDIA GPU"
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
        RuntimeNotInstalledError: ONNX Runtime is not installed, or its installation is broken.
    """
    try:
        runtime = import_module(_RUNTIME)
    except ModuleNotFoundError as error:
        if error.name != _RUNTIME:
            raise _broken(str(error)) from error
        raise RuntimeNotInstalledError(
            f"ONNX Runtime is not installed, and every exported file is validated with it. Install {_EXTRAS}."
        ) from error
    except ImportError as error:
        raise _broken(str(error)) from error
    # onnxruntime and onnxruntime-gpu share a folder: removing one empties it
    if not hasattr(runtime, "InferenceSession"):
        raise _broken("its package is empty")
    return runtime


def _broken(cause: str) -> RuntimeNotInstalledError:
    return RuntimeNotInstalledError(
        f"ONNX Runtime is installed and cannot be imported: {cause.rstrip('.')}. Uninstall onnxruntime and onnxruntime-gpu, "
        f"then install {_EXTRAS}."
    )


@cache
def runtime_errors() -> tuple[type[Exception], ...]:
    """Return the classes that ONNX Runtime raises on a file or on inputs, for an ``except`` clause."""
    import_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (*(getattr(state, name) for name in _RAISED), RuntimeError, ValueError)
