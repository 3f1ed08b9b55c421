"""From a model to graphs that keep their contracts, by one of the backend's routes, and to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfexport import graph as graphs
from tfexport.declarations.parts import DECODER_PART, MERGED_PART, NEXT_STEP_PART
from tfexport.errors import ConversionError
from tfexport.graph import Contract, OnnxFiles, OnnxGraph
from tfexport.validation import Reference, flatten_inputs

_DECODERS = (MERGED_PART, DECODER_PART, NEXT_STEP_PART)
"""The decoders of an encoder-decoder; the first holds the weights of the others."""


@dataclass(frozen=True)
class Example:
    """One run of a model.

    Attributes:
        inputs: Arrays to trace with, in the declared order.
        contract: Inputs and outputs of the file, with the static lengths and dtypes of this run.
    """

    inputs: Mapping[str, Any]
    contract: Contract


def run_example(reference: Reference) -> Example:
    """Run a model once on the inputs that it is traced with.

    Raises:
        InputsError: Dummy inputs cannot be made.
        ContractError: The model does not take a declared input, or lacks a declared output.
        TracingError: The model fails on these inputs.
    """
    inputs = reference.inputs()
    flat = flatten_inputs(reference.config, inputs)
    return Example(inputs, graphs.contract_of(reference.config, flat, reference.run(inputs)))


def convert(
    references: Mapping[str, Reference], examples: Mapping[str, Example], opset: int, route: str
) -> dict[str, OnnxGraph]:
    """Convert a model, or each of its parts, by one route, and finish the graphs for writing.

    A decoder in two parts, for the first step and for later ones, adds a third graph that merges them.

    Args:
        references: Model or part of a model that each file must agree with, by the file's name.
        examples: One run of each.
        opset: Version of the default operator set.
        route: One of the backend's routes.

    Returns:
        The graphs by the file's name; the merged graph stands before the two whose weights it holds.

    Raises:
        ConversionError: The model cannot be converted on this route, or not at this opset.
    """
    weightless = {
        name: reference.backend.convert(reference.model, reference.config, examples[name].inputs, opset, route)
        for name, reference in references.items()
    }
    contracts = {name: example.contract for name, example in examples.items()}
    if NEXT_STEP_PART in weightless:
        decoders = (graphs.at_opset(weightless[name], opset) for name in (DECODER_PART, NEXT_STEP_PART))
        found = graphs.merge_decoders(*decoders)
        contracts[MERGED_PART] = graphs.merged_contract(contracts[DECODER_PART], contracts[NEXT_STEP_PART])
        weightless |= {MERGED_PART: found.merged, DECODER_PART: found.first, NEXT_STEP_PART: found.later}
    order = sorted(weightless, key=lambda name: name in _DECODERS[1:])
    return {name: graphs.finish(weightless[name], contracts[name], opset) for name in order}


def write(written: Mapping[str, OnnxGraph], folder: Path) -> dict[str, OnnxFiles]:
    """Write graphs into a folder. The decoders of an encoder-decoder share their weights, where these are large.

    The encoder shares no weights with them: clients load it separately, also over a network.

    Raises:
        OutputError: The disk is full, or a file cannot be written.
    """
    paths = {name: folder / f"{name}.onnx" for name in written}
    decoders = {paths[name]: graph.model for name, graph in written.items() if name in _DECODERS}
    files = graphs.save_sharing(decoders)
    files |= {
        paths[name]: graphs.save(graph.model, paths[name]) for name, graph in written.items() if name not in _DECODERS
    }
    return {name: files[path] for name, path in paths.items()}


def weights_read(converted: Mapping[str, OnnxGraph]) -> frozenset[str]:
    """Return the names of the weights that any of the graphs reads."""
    return frozenset().union(*(graph.weight_names for graph in converted.values()))


def convert_by_any_route(
    references: Mapping[str, Reference], examples: Mapping[str, Example], opset: int
) -> dict[str, OnnxGraph]:
    """Convert by the first of the backend's routes that works.

    Raises:
        ConversionError: No route works.
    """
    reference = next(iter(references.values()))
    failures: list[tuple[str, ConversionError]] = []
    for route in reference.backend.routes(reference.config):
        try:
            return convert(references, examples, opset, route)
        except ConversionError as error:
            failures.append((route, error))
    raise no_route(failures)


def no_route(failures: Sequence[tuple[str, ConversionError]]) -> ConversionError:
    """Return the error when every route failed: the only route's own, or one that lists the errors of all.

    Args:
        failures: Each route with its error, in the order of the attempts; at least one.
    """
    if len(failures) == 1:
        return failures[0][1]
    listed = "; ".join(f"{route}: {failure}" for route, failure in failures)
    combined = ConversionError(f"no exporter could convert the model. {listed}")
    combined.__cause__ = failures[0][1]
    return combined
