"""The opset that was asked for is the opset of the file, or an error is raised."""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import version_converter

from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import OpsetError


def opset_of(proto: onnx.ModelProto) -> int:
    """Return the version of the default operator set that a model imports; 0 for none."""
    return next((int(entry.version) for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)


def check_opset(opset: int) -> int:
    """Validate an opset that a user asked for, and return it.

    Raises:
        OpsetError: The installed onnx does not know the opset.
    """
    newest = onnx.defs.onnx_opset_version()
    if not 7 <= opset <= newest:
        raise OpsetError(
            f"opset {opset} cannot be written: the installed onnx {onnx.__version__} knows 7 to {newest} (--opset, opset=...)."
        )
    return opset


def at_opset(graph: WeightlessGraph, opset: int) -> WeightlessGraph:
    """Return a graph at an opset, converted by onnx's version converter where the backend wrote another opset.

    Raises:
        OpsetError: The graph cannot be converted to the opset.
    """
    written = opset_of(graph.proto)
    if written == opset:
        return graph
    try:
        proto = version_converter.convert_version(graph.proto, opset)
    except (RuntimeError, ValueError) as error:
        raise OpsetError(
            f"the graph was written at opset {written}, and onnx's version converter cannot convert it to {opset}: {error}. "
            f"Choose opset {written} (--opset, opset=...)."
        ) from error
    if opset_of(proto) != opset:
        raise OpsetError(
            f"onnx's version converter left the graph at opset {opset_of(proto)}; expected {opset}. "
            f"Choose opset {written} (--opset, opset=...)."
        )
    return replace(graph, proto=proto, passes=(*graph.passes, f"onnx.version_converter to {opset}"))
