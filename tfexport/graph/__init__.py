"""From a backend's graph to the file: opset, weights, contract, folding, checks, writing."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import onnx_ir as ir

from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import ConversionError
from tfexport.graph.attach import attach_weights
from tfexport.graph.contract import Contract, Port, apply_contract, contract_of
from tfexport.graph.merge import USE_CACHE, merge_decoders, merged_contract
from tfexport.graph.opset import at_opset, check_opset
from tfexport.graph.passes.cancel_transposes import CancelTransposes
from tfexport.graph.passes.eliminate_identities import EliminateIdentities
from tfexport.graph.passes.fold_recurrent_weights import FoldRecurrentWeights
from tfexport.graph.passes.fold_transposes import FoldWeightTransposes
from tfexport.graph.writing import OnnxFiles, save, save_sharing


@dataclass(frozen=True)
class OnnxGraph:
    """A graph that keeps the contract, with its weights attached and not yet read.

    Attributes:
        model: the IR model.
        contract: its inputs and outputs.
        opset: version of the default operator set.
        route: how the backend converted it.
        passes: what was applied to the backend's graph, in order.
        notes: of the backend's graph.
    """

    model: ir.Model
    contract: Contract
    opset: int
    route: str
    passes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def weight_names(self) -> frozenset[str]:
        """Names of the initializers."""
        return frozenset(self.model.graph.initializers)


def finish(graph: WeightlessGraph, contract: Contract, opset: int) -> OnnxGraph:
    """Make a backend's graph the one that is written.

    Raises:
        OpsetError: the opset cannot be had.
        ContractError: the graph does not keep the contract.
        ConversionError: onnx's checker refuses the graph.
    """
    converted = at_opset(graph, opset)
    try:
        onnx.checker.check_model(converted.proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"the converted graph ({graph.route}) is not valid ONNX: {error}") from error
    model = attach_weights(converted)
    steps = (EliminateIdentities(), CancelTransposes(), FoldRecurrentWeights(), FoldWeightTransposes())
    passes = (*converted.passes, *(type(step).__name__ for step in steps if step(model).modified))
    apply_contract(model, contract)
    model.producer_name = "tfexport"
    return OnnxGraph(model, contract, opset, graph.route, passes, graph.notes)


__all__ = [
    "USE_CACHE",
    "Contract",
    "EliminateIdentities",
    "OnnxFiles",
    "OnnxGraph",
    "Port",
    "at_opset",
    "check_opset",
    "contract_of",
    "finish",
    "merge_decoders",
    "merged_contract",
    "save",
    "save_sharing",
]
