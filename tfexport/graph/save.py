"""Write a model: one file when it is small, ``model.onnx`` and ``model.onnx_data`` when its weights are large."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from tfexport.errors import OutputError

EXTERNAL_DATA_THRESHOLD = 128 * 1024**2
"""Bytes of weights from which they lie in a file of their own. Inlined weights pass through memory twice while a
protobuf is written; from here on that would be most of what an export needs."""


@dataclass(frozen=True)
class OnnxFiles:
    """What was written.

    Attributes:
        model: the graph, ``model.onnx``.
        data: the weights, ``model.onnx_data``; None when they are in the graph.
        weight_bytes: size of all initializers.
        nodes: number of nodes, subgraphs included.
    """

    model: Path
    data: Path | None
    weight_bytes: int
    nodes: int


def save(model: ir.Model, path: Path) -> OnnxFiles:
    """Write a model, one tensor at a time.

    Raises:
        OutputError: there is no room, or the file cannot be written.
    """
    weight_bytes = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
    data = path.with_name(f"{path.name}_data") if weight_bytes >= EXTERNAL_DATA_THRESHOLD else None
    free = shutil.disk_usage(path.parent).free
    if free < weight_bytes:
        raise OutputError(f"{path.parent} has {free:,} bytes free; the weights alone need {weight_bytes:,}.")
    try:
        ir.save(model, path, external_data=data.name if data else None, alignment=4096 if data else None)
        if data is None:
            path.with_name(f"{path.name}_data").unlink(missing_ok=True)  # an earlier file's, at the same place
    except OSError as error:
        raise OutputError(_why_not_written(error, data or path, weight_bytes)) from error
    return OnnxFiles(path, data, weight_bytes, sum(1 for _ in model.graph.all_nodes()))


def _why_not_written(error: OSError, path: Path, weight_bytes: int) -> str:
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EFBIG: "the file would exceed the limit on file sizes (ulimit -f)",
        errno.EDQUOT: "the disk quota is used up",
    }
    why = reasons.get(error.errno or 0, str(error))
    if error.errno is None:  # NumPy's tofile says how much it wrote, not why it stopped
        why = f"the disk is full, or the limit on file sizes (ulimit -f) is reached ({error})"
    return f"{path} could not be written: {why}. The weights need {weight_bytes:,} bytes."
