"""Sessions of ONNX Runtime: their settings, and sessions on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfexport.runtime.errors import import_runtime
from tfexport.runtime.names import CPU

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
"""ONNX Runtime's graph optimisations, from none to all: our name and its name of each level."""
FULL = "all"
_ERRORS_ONLY = 3


def open_session(path: Path, level: str = FULL, *, threads: int | None = None) -> Any:
    """Open a file in a session on the CPU. See `session_options` for the settings.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        one of `tfexport.runtime.errors.runtime_errors`: the file does not load.
    """
    options = session_options(level, threads=threads)
    return import_runtime().InferenceSession(str(path), options, providers=[CPU])


def session_options(level: str = FULL, *, threads: int | None = None) -> Any:
    """Return the options of a session that logs only errors.

    Args:
        level: level of the graph optimisations: disabled, basic, extended or all.
        threads: number of threads that compute one operator, while operators run one after the other; None for ONNX Runtime's
            defaults.
    """
    runtime = import_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, LEVELS[level])
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return options
