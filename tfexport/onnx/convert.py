"""``export`` and ``validate_model_outputs`` with the signatures of ``transformers.onnx``, for a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfexport import graph as graphs
from tfexport.backends import backend_of
from tfexport.declarations.onnx_config import OnnxConfig, one_preprocessor
from tfexport.errors import InputsError, ValidationError, abbreviate
from tfexport.pipeline.conversion import convert_by_any_route, run_example
from tfexport.pipeline.publishing import stage_beside
from tfexport.validation import Tolerance, standard_cases, validate_file
from tfexport.validation.reference import Reference


def export(
    preprocessor: Any,
    model: Any,
    config: OnnxConfig,
    opset: int,
    output: str | Path,
    tokenizer: Any = None,
    device: str = "cpu",
) -> tuple[list[str], list[str]]:
    """Export a loaded model to one ONNX file (and ``{output}_data`` beside it when the weights are large).

    The file appears complete or not at all. Nothing is validated: see `validate_model_outputs`.

    Args:
        preprocessor: a tokenizer, or None.
        model: a ``PreTrainedModel`` or a ``TFPreTrainedModel``.
        config: its declaration.
        opset: version of the ONNX operator set in the file.
        output: path of the file.
        tokenizer: deprecated name of `preprocessor`.
        device: ``"cpu"``; the file does not depend on where a model is traced.

    Returns:
        Names of the inputs and of the outputs, in the order of the file.

    Raises:
        InputsError: another device, or both a preprocessor and a tokenizer.
        ConversionError: no valid graph came out.
        OutputError: the file cannot be written.
    """
    if str(device) != "cpu":
        raise InputsError(f"models are traced on the CPU; device={device!r} was asked for. Move the model there first.")
    reference = Reference(backend_of(model), model, config, one_preprocessor(preprocessor, tokenizer))
    version = graphs.check_opset(opset)
    examples = {"model": run_example(reference)}
    graph = convert_by_any_route({"model": reference}, examples, version)["model"]
    _write(graph, Path(output))
    contract = graph.contract
    return [port.name for port in contract.inputs], [port.name for port in contract.outputs]


def validate_model_outputs(
    config: OnnxConfig,
    preprocessor: Any,
    reference_model: Any,
    onnx_model: str | Path,
    onnx_named_outputs: list[str],
    atol: float,
    tokenizer: Any = None,
) -> None:
    """Compare a file with the model it was exported from, on several shapes and masks.

    Args:
        config: the declaration.
        preprocessor: a tokenizer, or None.
        reference_model: the model.
        onnx_model: path of the file.
        onnx_named_outputs: the outputs that the file has.
        atol: absolute tolerance; the relative one is 2e-5 of an output's largest magnitude.
        tokenizer: deprecated name of `preprocessor`.

    Raises:
        ValidationError: an output is missing, or its shape or a value differs.
    """
    undeclared = sorted(set(config.outputs) ^ set(onnx_named_outputs))
    if undeclared:
        raise ValidationError(f"the file's outputs and the declaration's differ by {', '.join(undeclared)}.")
    preprocessor = one_preprocessor(preprocessor, tokenizer)
    reference = Reference(backend_of(reference_model), reference_model, config, preprocessor)
    report = validate_file(Path(onnx_model), reference, standard_cases(config), Tolerance(atol))
    if not report.passed:
        raise ValidationError(f"{onnx_model} disagrees with its source: {abbreviate(report.problems, 4)}")


def _write(graph: graphs.OnnxGraph, path: Path) -> None:
    """Write beside the target, then rename: the data first, since the graph names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = stage_beside(path)
    folder.mkdir()
    try:
        files = graphs.save(graph.model, folder / path.name)
        if files.data is not None:
            files.data.replace(path.with_name(files.data.name))
        files.model.replace(path)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
