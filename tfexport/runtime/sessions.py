"""Sessions of ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfexport.runtime.errors import import_runtime

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
"""ONNX Runtime's graph optimisations, from none to all: our name and its name of each level."""
FULL = "all"


def open_session(path: Path, level: str = FULL) -> Any:
    """Open a file in an ONNX Runtime session on the CPU that logs only errors.

    Args:
        path: the ONNX file.
        level: level of the graph optimisations: disabled, basic, extended or all.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        one of `tfexport.runtime.errors.runtime_errors`: the file does not load.
    """
    options = session_options(level)
    return import_runtime().InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def session_options(level: str) -> Any:
    """Return options of a session that logs only errors, at a level of graph optimisation."""
    onnxruntime = import_runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])
    return options
