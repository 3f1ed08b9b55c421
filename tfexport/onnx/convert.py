"""Export and validation of a loaded model, with the names and signatures of ``transformers.onnx.convert``."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from packaging.version import Version

from tfexport import graph as graphs
from tfexport.backends import backend_of
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, Framework
from tfexport.declarations.onnx_config import OnnxConfig, one_preprocessor
from tfexport.errors import InputsError, OutputError, RuntimeNotInstalledError, ValidationError, abbreviate
from tfexport.pipeline.conversion import convert_by_any_route, run_example
from tfexport.pipeline.staging import stage_beside, sweep_stages
from tfexport.pipeline.target import resolved_file
from tfexport.runtime.errors import import_runtime
from tfexport.validation import Reference, Tolerance, standard_cases, validate_file

ORT_QUANTIZE_MINIMUM_VERSION = Version("1.4.0")
"""Oldest version of ONNX Runtime that ``transformers.onnx`` accepts."""


def export(
    preprocessor: Any,
    model: Any,
    config: OnnxConfig,
    opset: int,
    output: str | Path,
    tokenizer: Any = None,
    device: str = "cpu",
) -> tuple[list[str], list[str]]:
    """Export a loaded model to one ONNX file, and ``{output}_data`` beside it when the weights are large.

    The file appears complete or not at all. It is not validated: see `validate_model_outputs`.

    Args:
        preprocessor: a tokenizer or another preprocessor, or None.
        model: a ``PreTrainedModel`` or a ``TFPreTrainedModel``.
        config: the declaration of the model.
        opset: version of the ONNX operator set in the file.
        output: path of the file.
        tokenizer: deprecated name of `preprocessor`.
        device: ``"cpu"``. The file does not depend on the device on which the model is traced.

    Returns:
        Names of the inputs and of the outputs, in the order of the file.

    Raises:
        InputsError: the device is not the CPU, or both a preprocessor and a tokenizer were passed.
        UnsupportedError: the model is neither of the two kinds.
        ConversionError: the model cannot be converted to a valid graph.
        OutputError: the file cannot be written.
    """
    if str(device) != "cpu":
        raise InputsError(
            f"device={device!r} was passed, and models are traced on the CPU. Move the model there and pass device='cpu'."
        )
    path = resolved_file(Path(output))
    reference = Reference(backend_of(model), model, config, one_preprocessor(preprocessor, tokenizer))
    version = graphs.check_opset(opset)
    examples = {"model": run_example(reference)}
    graph = convert_by_any_route({"model": reference}, examples, version)["model"]
    _write(graph, path)
    contract = graph.contract
    return [port.name for port in contract.inputs], [port.name for port in contract.outputs]


def export_pytorch(
    preprocessor: Any,
    model: Any,
    config: OnnxConfig,
    opset: int,
    output: Path,
    tokenizer: Any = None,
    device: str = "cpu",
) -> tuple[list[str], list[str]]:
    """Export a loaded PyTorch model. See `export`.

    Raises:
        InputsError: the model is not a PyTorch model, and in the cases of `export`.
    """
    _check_framework(model, "pt")
    return export(preprocessor, model, config, opset, output, tokenizer, device)


def export_tensorflow(
    preprocessor: Any, model: Any, config: OnnxConfig, opset: int, output: Path, tokenizer: Any = None
) -> tuple[list[str], list[str]]:
    """Export a loaded TensorFlow model. See `export`.

    Raises:
        InputsError: the model is not a TensorFlow model, and in the cases of `export`.
    """
    _check_framework(model, "tf")
    return export(preprocessor, model, config, opset, output, tokenizer)


def validate_model_outputs(
    config: OnnxConfig,
    preprocessor: Any,
    reference_model: Any,
    onnx_model: str | Path,
    onnx_named_outputs: list[str],
    atol: float,
    tokenizer: Any = None,
) -> None:
    """Compare a file with the model that it was exported from, on several shapes and masks.

    Args:
        config: the declaration of the model.
        preprocessor: a tokenizer or another preprocessor, or None.
        reference_model: the model.
        onnx_model: path of the file.
        onnx_named_outputs: the names of the file's outputs, as `export` returns them.
        atol: absolute tolerance. The relative tolerance is 2e-5 of an output's largest magnitude.
        tokenizer: deprecated name of `preprocessor`.

    Raises:
        ValidationError: an output is missing, or its shape or a value differs.
    """
    differing = sorted(set(config.outputs) ^ set(onnx_named_outputs))
    if differing:
        raise ValidationError(
            f"onnx_named_outputs and the outputs of the declaration differ by {', '.join(differing)}. Expected the outputs "
            "that `export` returns."
        )
    preprocessor = one_preprocessor(preprocessor, tokenizer)
    reference = Reference(backend_of(reference_model), reference_model, config, preprocessor)
    report = validate_file(Path(onnx_model), reference, standard_cases(config), Tolerance(atol))
    if not report.passed:
        raise ValidationError(f"{onnx_model} disagrees with its source: {abbreviate(report.problems, 4)}")


def ensure_model_and_config_inputs_match(model: Any, model_inputs: Iterable[str]) -> tuple[bool, list[str]]:
    """Compare the names of inputs with the parameters of a model.

    Args:
        model: a ``PreTrainedModel`` or a ``TFPreTrainedModel``.
        model_inputs: the names.

    Returns:
        Whether the model takes all of them, and those that it takes, in the order of its parameters.
    """
    function = model.forward if backend_of(model).framework == "pt" else model.call
    names, parameters = set(model_inputs), signature(function).parameters
    return names <= set(parameters), [name for name in parameters if name in names]


def check_onnxruntime_requirements(minimum_version: Version) -> None:
    """Check that ONNX Runtime is installed, and not older than a version.

    Raises:
        RuntimeNotInstalledError: it is not, an ``ImportError`` as in ``transformers.onnx``.
    """
    installed = import_runtime().__version__
    if Version(installed) < minimum_version:
        raise RuntimeNotInstalledError(
            f"ONNX Runtime {installed} is installed, and {minimum_version} or newer is required. Update onnxruntime."
        )


def _check_framework(model: Any, framework: Framework) -> None:
    found = backend_of(model).framework
    if found != framework:
        raise InputsError(
            f"{type(model).__name__} is a {FRAMEWORK_NAMES[found]} model. Expected a {FRAMEWORK_NAMES[framework]} model: call "
            "tfexport.onnx.export, which accepts both."
        )


def _write(graph: graphs.OnnxGraph, path: Path) -> None:
    """Write beside the target, then rename. A model that is there goes first: its data may be replaced by other data.

    Raises:
        OutputError: The path cannot be that of a file.
    """
    sweep_stages(path)
    with stage_beside(path) as folder:
        files = graphs.save(graph.model, folder / path.name)
        try:
            if files.data is not None:
                path.unlink(missing_ok=True)
                files.data.replace(path.with_name(files.data.name))
            files.model.replace(path)
        except OSError as error:
            raise OutputError(f"{path} could not be written: {error.strerror}. Name another file.") from error
