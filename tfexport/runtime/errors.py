"""The errors that ONNX Runtime raises, and ours where it is not installed."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from typing import Any

from tfexport.errors import RuntimeNotInstalledError
from tfexport.processes.environment import environment

_RUNTIME = "onnxruntime"
_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
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
        runtime = _imported()
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


def _imported() -> Any:
    """Import ONNX Runtime; without its telemetry, which leaves a file in the temporary folder, unless the user has chosen it."""
    if _RUNTIME in sys.modules:
        return import_module(_RUNTIME)
    with environment({_NO_TELEMETRY: os.environ.get(_NO_TELEMETRY, "1")}):
        return import_module(_RUNTIME)


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
