"""From a backend's graph to the file: opset, weights, passes, contract, checks, writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import onnx
import onnx_ir as ir

from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import ConversionError
from tfexport.graph.attach import attach_weights
from tfexport.graph.canonical import canonicalise
from tfexport.graph.contract import Contract, Port, apply_contract, contract_of
from tfexport.graph.merge import USE_CACHE, merge_decoders, merged_contract
from tfexport.graph.opset import at_opset, check_opset
from tfexport.graph.passes.base import Result
from tfexport.graph.passes.levels import DEFAULT, LEVELS
from tfexport.graph.writing import OnnxFiles, read_files, save, save_sharing


@dataclass(frozen=True)
class OnnxGraph:
    """A graph that keeps the contract, with its weights attached and not read yet.

    Attributes:
        model: IR model.
        contract: Inputs and outputs of the model.
        opset: Version of the default operator set.
        route: Name of the backend's exporter that converted the model.
        passes: Names of the passes and tools that changed the backend's graph, in order.
        notes: Notes of the backend about the graph.
        level: Level of optimisation.
        matches: Number of matches of each pass of the level, zero included.
    """

    model: ir.Model
    contract: Contract
    opset: int
    route: str
    passes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    level: str = DEFAULT
    matches: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def weight_names(self) -> frozenset[str]:
        """Names of the initializers."""
        return frozenset(self.model.graph.initializers)


def finish(graph: WeightlessGraph, contract: Contract, opset: int, level: str = DEFAULT) -> OnnxGraph:
    """Turn a backend's graph into the graph that is written.

    Args:
        graph: The backend's graph, without weights.
        contract: Inputs and outputs of the file.
        opset: Version of the default operator set of the file.
        level: One of `tfexport.graph.passes.levels.LEVELS`.

    Raises:
        OpsetError: The graph cannot be converted to the opset.
        ContractError: The graph does not keep the contract.
        ConversionError: The checker of onnx refuses the graph.
    """
    converted = at_opset(graph, opset)
    try:
        onnx.checker.check_model(converted.proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"the converted graph ({graph.route}) is not valid ONNX: {error}") from error
    model = attach_weights(converted)
    matches = _run_passes(model, level)
    passes = (*converted.passes, *(name for name, count in matches.items() if count))
    apply_contract(model, contract)
    canonicalise(model)
    model.producer_name = "tfexport"
    return OnnxGraph(
        model, contract, opset, graph.route, passes, graph.notes, level=level, matches=MappingProxyType(matches)
    )


def _run_passes(model: ir.Model, level: str) -> dict[str, int]:
    """Run the passes of a level on a model, in place, and return the number of matches of each."""
    matches: dict[str, int] = {}
    for each in LEVELS[level]:
        result = each(model)
        assert isinstance(result, Result)
        matches[each.name] = result.matches
    return matches


__all__ = [
    "DEFAULT",
    "LEVELS",
    "USE_CACHE",
    "Contract",
    "OnnxFiles",
    "OnnxGraph",
    "Port",
    "at_opset",
    "check_opset",
    "contract_of",
    "finish",
    "merge_decoders",
    "merged_contract",
    "read_files",
    "save",
    "save_sharing",
]
