"""Facts about an ONNX file: ops, opset and axes; and random inputs for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from tfexport.errors import BenchmarkError, CorruptCheckpointError, InputsError, UnreadableFileError
from tfexport.files.reading import read_bytes
from tfexport.graph.nodes import all_nodes
from tfexport.keywords import shown
from tfexport.text import shortened

LARGEST_INPUTS = 2**30
"""Bytes that the inputs of one call may have."""
_LARGEST = 2**31
"""Bytes of a message that protobuf reads. Larger weights lie in other files."""
_LONGEST_KEY = 10_000
"""Letters of the name of an input or output. Arrays are kept in archives, whose entries have names of at most 65,535 bytes."""
_LONGEST_NAME, _LONGEST_REASON = 100, 300
_BATCH = ("batch",)
_SEQUENCE = ("sequence", "seq", "length", "time", "token")
_MASK = "mask"


def read(path: Path) -> onnx.ModelProto:
    """Return the model of a file, without its external data.

    Raises:
        CorruptCheckpointError: It is not an ONNX file.
    """
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(read_bytes(path, _LARGEST))
    except (UnreadableFileError, DecodeError) as error:
        raise CorruptCheckpointError(
            f"{path} is not an ONNX file that can be read: {shortened(str(error), _LONGEST_REASON)}. Export it again."
        ) from error
    if not model.graph.output:
        raise CorruptCheckpointError(f"{path} is not an ONNX file: it has no output. Export it again.")
    if not _names_are_texts(model):
        raise CorruptCheckpointError(f"{path} is not an ONNX file that can be read: a name in it is not UTF-8.")
    for value in (*real_inputs(model), *model.graph.output):
        if len(value.name) > _LONGEST_KEY:
            raise CorruptCheckpointError(
                f"{path} is not an ONNX file that can be measured: {shown(value.name)} is a name of {len(value.name):,} letters, "
                f"and at most {_LONGEST_KEY:,} are expected. Rename the tensor."
            )
        if any(isinstance(length, int) and length < 0 for length in shape_of(value)):
            raise CorruptCheckpointError(
                f"{path} is not an ONNX file: {shown(value.name)} has the shape {shape_of(value)}. Export it again."
            )
    return model


def _names_are_texts(model: onnx.ModelProto) -> bool:
    """Return whether the names that are read are texts: protobuf returns one that is not UTF-8 as bytes."""
    values = (*model.graph.input, *model.graph.output)
    names = [
        *(text for node in all_nodes(model.graph) for text in (node.op_type, node.domain)),
        *(entry.domain for entry in model.opset_import),
        *(tensor.name for tensor in model.graph.initializer),
        *(value.name for value in values),
        *(axis.dim_param for value in values for axis in value.type.tensor_type.shape.dim),
    ]
    return all(isinstance(name, str) for name in names)


def facts(model: onnx.ModelProto) -> dict[str, Any]:
    """Return the facts of a results file: number of nodes, ops (subgraphs included), opset, axes of inputs and outputs."""
    ops = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in all_nodes(model.graph))
    return {
        "nodes": sum(ops.values()),
        "ops": dict(ops.most_common()),
        "fused": sum(count for op, count in ops.items() if "." in op),
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "inputs": {value.name: shape_of(value) for value in real_inputs(model)},
        "outputs": {value.name: shape_of(value) for value in model.graph.output},
    }


def real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are not weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    """Return the length or the name of each axis; an empty name for an axis that has neither."""
    return [
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param for axis in value.type.tensor_type.shape.dim
    ]


def has_sequence(model: onnx.ModelProto) -> bool:
    """Return whether an input has an axis of tokens."""
    return any(_is(axis, _SEQUENCE) for value in real_inputs(model) for axis in shape_of(value))


def random_inputs(
    model: onnx.ModelProto, batch: int, sequence: int | None, axes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return inputs for a file without a declaration: masks of ones, other integers 0 or 1, normally distributed floats.

    Args:
        model: Model of the file.
        batch: Length of axes whose name contains ``batch``, and of a first axis without a name.
        sequence: Length of axes whose name contains ``sequence``, ``seq``, ``length``, ``time`` or ``token``.
        axes: Lengths of other axes by name.

    Raises:
        InputsError: The length of an axis is not known, or values of a dtype cannot be drawn.
    """
    random = np.random.default_rng((batch, sequence or 0))
    inputs = {
        value.name: (
            [_length(value.name, index, axis, batch, sequence, axes) for index, axis in enumerate(shape_of(value))],
            _dtype(value),
        )
        for value in real_inputs(model)
    }
    check_size(sum(math.prod(shape) * dtype.itemsize for shape, dtype in inputs.values()))
    return {name: _drawn(name, shape, dtype, random) for name, (shape, dtype) in inputs.items()}


def check_size(size: int) -> None:
    """Refuse inputs of so many bytes, before they are drawn.

    Raises:
        InputsError: They are too large.
    """
    if size > LARGEST_INPUTS:
        raise InputsError(
            f"the inputs of a call would have {size:,} bytes; at most {LARGEST_INPUTS:,} are measured. Pass smaller "
            "--batch-sizes, --sequence-lengths, or lengths by --axis."
        )


def _dtype(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    kind, number = value.type.WhichOneof("value"), value.type.tensor_type.elem_type
    if kind != "tensor_type":
        raise InputsError(
            f"the input {shown(value.name)} is not a tensor ({kind or 'it has no type'}). Values can be drawn only for tensors. "
            "Benchmark the checkpoint in place of the file."
        )
    try:
        dtype: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(number)
    except (KeyError, ValueError):
        raise InputsError(f"the input {shown(value.name)} has the dtype number {number}, which ONNX lacks.") from None
    return dtype


def _drawn(name: str, shape: list[int], dtype: np.dtype[Any], random: np.random.Generator) -> np.ndarray:
    if dtype.kind in "iu":
        return np.ones(shape, dtype) if _MASK in name else random.integers(0, 2, shape, dtype)
    if dtype.kind == "b":
        return np.ones(shape, dtype)
    if dtype in (np.float32, np.float64):
        return random.standard_normal(shape, dtype.type)
    if dtype.kind == "f":
        return random.standard_normal(shape, np.float32).astype(dtype)
    raise InputsError(
        f"the input {shown(name)} has dtype {dtype}. Values can be drawn only for integers, booleans and floats. Benchmark the "
        "checkpoint in place of the file."
    )


def _length(name: str, index: int, axis: int | str, batch: int, sequence: int | None, axes: Mapping[str, int]) -> int:
    if isinstance(axis, int):
        return axis
    if axis in axes:
        return axes[axis]
    if _is(axis, _BATCH) or (index == 0 and not axis):
        return batch
    if sequence is not None and _is(axis, _SEQUENCE):
        return sequence
    raise InputsError(
        f"the name of axis {index} of the input {shortened(name, _LONGEST_NAME)} is {shown(axis)}, which does not say how long "
        f"it is. Pass its length by --axis {shortened(axis, _LONGEST_NAME) or 'NAME'}=LENGTH."
    )


def _is(axis: int | str, words: tuple[str, ...]) -> bool:
    return isinstance(axis, str) and any(word in axis.lower() for word in words)


def half_precision(source: Path, target: Path) -> None:
    """Write a copy of a file that computes in float16, with the same inputs and outputs, by ONNX Runtime's own conversion.

    Raises:
        BenchmarkError: The weights do not fit into one file.
    """
    # Imported here, because only fp16 needs it: it imports much of ONNX Runtime's tools.
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        converted = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True, disable_shape_infer=True)
        onnx.save(converted, str(target))
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise BenchmarkError(
            f"{source.name} could not be converted to float16: {error}. Leave fp16 out of --precisions."
        ) from error
