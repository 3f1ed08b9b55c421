"""From a model to a graph that keeps its contract, by one of the backend's routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfexport import graph as graphs
from tfexport.backends import Backend
from tfexport.errors import ConversionError
from tfexport.graph import Contract, OnnxGraph
from tfexport.onnx_config import OnnxConfig
from tfexport.validation import case_inputs


@dataclass(frozen=True)
class Example:
    """One run of the model.

    Attributes:
        inputs: the arrays to trace with, in the declared order.
        contract: what the file promises, with the static lengths and dtypes of this run.
    """

    inputs: Mapping[str, Any]
    contract: Contract


def run_example(backend: Backend, model: Any, config: OnnxConfig, preprocessor: Any) -> Example:
    """Run a model once on the inputs that it is traced with.

    Raises:
        InputsError: dummy inputs cannot be made.
        ContractError: the model does not take a declared input, or lacks a declared output.
        TracingError: the model fails on these inputs.
    """
    inputs = case_inputs(config, preprocessor, None, backend.framework)
    return Example(inputs, graphs.contract_of(config, inputs, backend.run(model, config, inputs)))


def convert(backend: Backend, model: Any, config: OnnxConfig, example: Example, opset: int, route: str) -> OnnxGraph:
    """Convert a model by one route, and make its graph the one that is written.

    Raises:
        ConversionError: the model cannot be converted on this route, or not at this opset.
    """
    weightless = backend.convert(model, config, example.inputs, opset, route)
    return graphs.finish(weightless, example.contract, opset)


def no_route(failures: Sequence[tuple[str, ConversionError]]) -> ConversionError:
    """The error when every route failed: the only one's, or one that tells them all.

    Args:
        failures: each route with its error, in the order they were tried; at least one.
    """
    if len(failures) == 1:
        return failures[0][1]
    told = "; ".join(f"{route}: {failure}" for route, failure in failures)
    combined = ConversionError(f"no exporter could convert the model. {told}")
    combined.__cause__ = failures[0][1]
    return combined
