"""Two decoders in one file: the first step and the later steps are the branches of an If, and share their weights.

Clients that load one decoder (transformers.js, optimum) look for this file. Its input ``use_cache_branch``, a bool ``(1,)``,
selects the branch: false for the first step, when the cache is empty; true for later steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, inliner

from tfexport.backends.weightless import WeightlessGraph, source_of
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.errors import ConversionError
from tfexport.graph.contract import Contract, Port

USE_CACHE = "use_cache_branch"
_FIRST, _LATER = "first_step/", "later_step/"


@dataclass(frozen=True)
class MergedGraph:
    """The two decoders, and the graph that merges them.

    Attributes:
        first: The decoder for the first step.
        later: The decoder for later steps; a weight that `first` has too is the same tensor, under the same name.
        merged: Both decoders, over one set of weights.
    """

    first: WeightlessGraph
    later: WeightlessGraph
    merged: WeightlessGraph


def merge_decoders(first: WeightlessGraph, later: WeightlessGraph) -> MergedGraph:
    """Merge the decoder for the first step with that for later steps.

    Only the first decoder returns the keys and values of the cross attention. In later steps the merged file returns those of its
    inputs.

    Raises:
        ConversionError: The graphs have different opsets, or only the later one returns some output.
    """
    first, later = _inlined(first), _inlined(later)
    later = _with_weights_of(first, later)
    weights = {**first.weights, **later.weights}
    inputs = _inputs(first, later)
    outer = {value.name for value in inputs}
    outputs = [value.name for value in first.proto.graph.output]
    unknown = {value.name for value in later.proto.graph.output} - set(outputs)
    opsets = [{entry.domain: entry.version for entry in graph.proto.opset_import} for graph in (first, later)]
    if unknown or opsets[0].get("", 0) != opsets[1].get("", 0):
        raise ConversionError(
            f"the decoders cannot be merged: their opsets are {opsets[0]} and {opsets[1]}; only the later one returns "
            f"{', '.join(sorted(unknown)) or 'nothing'}."
        )
    branches = {
        "else_branch": _branch(first, outputs, outer, _FIRST),
        "then_branch": _branch(later, outputs, outer, _LATER),
    }
    graph = helper.make_graph(
        [helper.make_node("If", [USE_CACHE], outputs, name="decoder", **branches)],
        "decoder",
        inputs,
        [_untyped(value) for value in first.proto.graph.output],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in {**opsets[0], **opsets[1]}.items()]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=first.proto.ir_version)
    return MergedGraph(first, later, WeightlessGraph(proto, weights, first.route, ("merge_decoders",)))


def merged_contract(first: Contract, later: Contract) -> Contract:
    """Return the contract of the merged file: the inputs of both decoders, ``use_cache_branch``, and the outputs of the first.

    An axis that is static in only one branch is dynamic. An axis with two names has that of the later step, except the axis of
    the tokens, which has length one in the later step.
    """
    inputs = {port.name: port for port in later.inputs} | {port.name: port for port in first.inputs}
    order = dict.fromkeys(port.name for port in (*first.inputs, *later.inputs))
    of_later = {port.name: port for port in later.outputs}
    return Contract(
        inputs=(*(inputs[name] for name in order), Port(USE_CACHE, "bool", (1,))),
        outputs=tuple(_either(port, of_later.get(port.name)) for port in first.outputs),
    )


def _either(first: Port, later: Port | None) -> Port:
    if later is None or not first.name.startswith(PRESENT):
        return first
    return replace(
        first, shape=tuple(b if isinstance(b, str) else a for a, b in zip(first.shape, later.shape, strict=True))
    )


def _inlined(graph: WeightlessGraph) -> WeightlessGraph:
    """Inline the functions of a model, whose names could occur in both branches."""
    if not graph.proto.functions:
        return graph
    return replace(graph, proto=inliner.inline_local_functions(graph.proto))


def _with_weights_of(first: WeightlessGraph, later: WeightlessGraph) -> WeightlessGraph:
    """Return the later graph with the first's tensors for the weights that they share, and with unique names for the others."""
    renamed: dict[str, str] = {}
    weights: dict[str, ir.TensorProtocol] = {}
    for name, tensor in later.weights.items():
        in_first = first.weights.get(name)
        if in_first is None:
            weights[name] = tensor
        elif _same(in_first, tensor):
            weights[name] = in_first
        else:
            renamed[name] = f"{_LATER}{name}"
            weights[renamed[name]] = tensor
    if not renamed:
        return replace(later, weights=weights)
    proto = onnx.ModelProto()
    proto.CopyFrom(later.proto)
    _rename(proto.graph, lambda name: renamed.get(name, name))
    return replace(later, proto=proto, weights=weights)


def _same(one: ir.TensorProtocol, other: ir.TensorProtocol) -> bool:
    if source_of(one) == source_of(other):
        return True
    constants = isinstance(one, ir.Tensor) and isinstance(other, ir.Tensor)  # tables that a model makes while it runs
    return constants and one.dtype == other.dtype and np.array_equal(one.numpy(), other.numpy())


def _inputs(first: WeightlessGraph, later: WeightlessGraph) -> list[Any]:
    """Return the graph inputs: those of both models, the selection of the branch, then the weights."""
    found: dict[str, Any] = {}
    for graph in (later, first):  # the first step's ids are of any length
        found |= {value.name: value for value in graph.proto.graph.input}
    weights = {**first.weights, **later.weights}
    own = [value for name, value in found.items() if name not in weights]
    choice = helper.make_tensor_value_info(USE_CACHE, TensorProto.BOOL, [1])
    return [*map(_untyped, own), choice, *(value for name, value in found.items() if name in weights)]


def _untyped(value: Any) -> Any:
    """Return a value without lengths: those of the two branches differ."""
    made = onnx.ValueInfoProto()
    made.CopyFrom(value)
    for axis in made.type.tensor_type.shape.dim:
        axis.Clear()
    return made


def _branch(graph: WeightlessGraph, outputs: list[str], outer: set[str], prefix: str) -> Any:
    """Return a graph as a branch: its inputs are the outer graph's, and all other names begin with a prefix."""
    branch = onnx.GraphProto()
    branch.CopyFrom(graph.proto.graph)
    branch.name = prefix.rstrip("/")
    _rename(branch, lambda name: name if not name or name in outer else prefix + name)
    del branch.input[:]
    del branch.value_info[:]
    made = {value.name: value for value in branch.output}
    del branch.output[:]
    for name in outputs:
        own = prefix + name
        if own in made:
            branch.output.append(_untyped(made[own]))
            continue
        past = name.replace(PRESENT, PAST, 1)
        branch.node.append(helper.make_node("Identity", [past], [own], name=f"{prefix}hand_on/{name}"))
        passed_on = next(value for value in graph.proto.graph.input if value.name == past)
        branch.output.append(_untyped(passed_on))
        branch.output[-1].name = own
    return branch


def _rename(graph: Any, rename: Callable[[str], str]) -> None:
    """Rename every value and node of a graph, and of the graphs inside it, in place."""
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            value.name = rename(value.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = rename(sparse.values.name)
    for node in graph.node:
        node.name = rename(node.name) if node.name else ""
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                _rename(inner, rename)
