"""The opset asked for is the opset in the file, or an error."""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import version_converter

from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import OpsetError


def opset_of(proto: onnx.ModelProto) -> int:
    """The version of the default operator set that a model imports."""
    return next((int(entry.version) for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)


def check_opset(opset: int) -> int:
    """Validate an opset that a user asked for.

    Raises:
        OpsetError: the installed onnx does not know it.
    """
    newest = onnx.defs.onnx_opset_version()
    if not 7 <= opset <= newest:
        raise OpsetError(f"opset {opset} cannot be written: the installed onnx {onnx.__version__} knows 7 to {newest}.")
    return opset


def at_opset(graph: WeightlessGraph, opset: int) -> WeightlessGraph:
    """The same graph at an opset, through onnx's version converter when the backend wrote another one.

    Raises:
        OpsetError: the converter cannot.
    """
    written = opset_of(graph.proto)
    if written == opset:
        return graph
    try:
        proto = version_converter.convert_version(graph.proto, opset)
    except (RuntimeError, ValueError) as error:
        raise OpsetError(
            f"the graph was written at opset {written} and onnx's version converter cannot take it to {opset}: {error}. "
            f"Ask for opset {written}."
        ) from error
    if opset_of(proto) != opset:
        raise OpsetError(f"onnx's version converter left the graph at opset {opset_of(proto)}; {opset} was asked for.")
    return replace(graph, proto=proto, passes=(*graph.passes, f"onnx.version_converter to {opset}"))
