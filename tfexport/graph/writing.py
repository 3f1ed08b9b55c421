"""Write a model: one file when its weights are small, ``model.onnx`` and ``model.onnx_data`` when they are large.

Where another model has written the same large weights, a model refers to the data of that file.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from tfexport.backends.weightless import source_of
from tfexport.errors import ConversionError, OutputError

EXTERNAL_DATA_THRESHOLD = 128 * 1024**2
"""Bytes of weights from which they are written to a separate file. Weights in the graph pass through memory twice while a
protobuf is written; above this size that would be most of the memory of an export."""


@dataclass(frozen=True)
class OnnxFiles:
    """The files of one model.

    Attributes:
        model: File of the graph, ``model.onnx``.
        data: File of the weights, ``model.onnx_data``; None when they are in the graph. Several models may share it.
        weight_bytes: Size of all initializers.
        nodes: Number of nodes, with those of subgraphs.
    """

    model: Path
    data: Path | None
    weight_bytes: int
    nodes: int


class WrittenWeights:
    """Weights that a data file has already, by their sources (`tfexport.backends.weightless.source_of`)."""

    def __init__(self) -> None:
        self._tensors: dict[Hashable, ir.ExternalTensor] = {}
        self.data: Path | None = None

    def add(self, model: ir.Model, files: OnnxFiles) -> None:
        """Record the place of each weight of a model that was just written."""
        if files.data is None:
            return
        self.data = files.data
        written = ir.load(files.model).graph.initializers
        for name, value in model.graph.initializers.items():
            tensor = written[name].const_value
            if value.const_value is not None and isinstance(tensor, ir.ExternalTensor):
                self._tensors[source_of(value.const_value)] = tensor

    @contextmanager
    def shared_with(self, model: ir.Model) -> Iterator[None]:
        """Let a model refer to the written weights, for the duration of a block."""
        own: dict[ir.Value, ir.TensorProtocol] = {}
        try:
            for value in model.graph.initializers.values():
                tensor = value.const_value
                written = None if tensor is None else self._tensors.get(source_of(tensor))
                if tensor is not None and written is not None:
                    own[value] = tensor
                    value.const_value = ir.ExternalTensor(
                        written.location,
                        written.offset,
                        written.length,
                        written.dtype,
                        shape=ir.Shape(written.shape),
                        name=str(value.name),
                        base_dir=written.base_dir,
                    )
            yield
        finally:
            for value, tensor in own.items():
                value.const_value = tensor


def save_sharing(models: Mapping[Path, ir.Model]) -> dict[Path, OnnxFiles]:
    """Write models that share weights: where they are large together, the first model writes the data for all.

    Args:
        models: The models by path; the first has all weights that any two of them share.

    Raises:
        OutputError: The disk is full, or a file cannot be written.
    """
    written = WrittenWeights()
    large = sum(map(_weight_bytes, models.values())) >= EXTERNAL_DATA_THRESHOLD
    return {
        path: save(model, path, written, large and index == 0) for index, (path, model) in enumerate(models.items())
    }


def save(model: ir.Model, path: Path, written: WrittenWeights | None = None, external: bool = False) -> OnnxFiles:
    """Write a model, one tensor at a time.

    Args:
        model: The model.
        path: File of the graph.
        written: Weights that earlier models have written, to which those of this model are added.
        external: Whether the weights are written to a separate file even where they are not large.

    Raises:
        OutputError: The disk is full, or the file cannot be written.
    """
    weight_bytes = _weight_bytes(model)
    written = WrittenWeights() if written is None else written
    nodes = sum(1 for _ in model.graph.all_nodes())
    with written.shared_with(model):
        own_bytes = _weight_bytes(model)
        separate = external or own_bytes >= EXTERNAL_DATA_THRESHOLD
        data = path.with_name(f"{path.name}_data") if separate else None
        free = shutil.disk_usage(path.parent).free
        if free < own_bytes:
            raise OutputError(
                f"{path.parent} has {free:,} bytes free; the weights need {own_bytes:,}. Choose a larger disk."
            )
        try:
            ir.save(model, path, external_data=data.name if data else None, alignment=4096 if data else None)
            if data is None:
                path.with_name(f"{path.name}_data").unlink(missing_ok=True)  # an earlier file's, at the same place
        except OSError as error:
            raise OutputError(_why_not_written(error, data or path, own_bytes)) from error
    files = OnnxFiles(path, data or (written.data if own_bytes < weight_bytes else None), weight_bytes, nodes)
    if data is not None:
        written.add(model, files)
    return files


def read_files(path: Path) -> OnnxFiles:
    """Describe a model on disk; its weights lie in its graph, or in one file beside it.

    Raises:
        ConversionError: The weights are in several files.
    """
    model = ir.load(path)
    tensors = [value.const_value for value in model.graph.initializers.values() if value.const_value is not None]
    locations = {str(tensor.location) for tensor in tensors if isinstance(tensor, ir.ExternalTensor)}
    if len(locations) > 1:
        raise ConversionError(f"{path} has its weights in {len(locations)} files; expected one file beside it.")
    data = path.with_name(locations.pop()) if locations else None
    nodes = sum(1 for _ in model.graph.all_nodes())
    return OnnxFiles(path, data, sum(tensor.nbytes for tensor in tensors), nodes)


def _weight_bytes(model: ir.Model) -> int:
    """Return the size of the weights that a model must write itself."""
    tensors = (value.const_value for value in model.graph.initializers.values())
    return sum(tensor.nbytes for tensor in tensors if tensor is not None and not isinstance(tensor, ir.ExternalTensor))


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
