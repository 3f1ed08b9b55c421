"""The command line: parse, call, render, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfexport import __version__
from tfexport.checkpoints import sources
from tfexport.cli.benchmark_commands import app as benchmark_app
from tfexport.cli.parity_commands import parity, validate
from tfexport.cli.shared_options import (
    AxisNames,
    InputsAsNchw,
    InputShapes,
    ModelType,
    OutputsAsNchw,
    Signature,
    Tag,
    Trust,
    keywords,
)
from tfexport.cli.terminal import DONE, INVALID, AsJson, Commands, Debug, Verbose, screen
from tfexport.processes.environment import command_environment

app = typer.Typer(
    cls=Commands,
    name="tfexport",
    help="Export Keras/TensorFlow and PyTorch checkpoints to ONNX, and prove the files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(benchmark_app, name="benchmark")
app.command()(parity)
app.command()(validate)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Export Keras/TensorFlow and PyTorch checkpoints to ONNX, and prove the files."""
    context.with_resource(command_environment())
    if version:
        with screen(False, False) as terminal:
            terminal.lines([__version__])
        raise typer.Exit(DONE)


@app.command()
def export(
    output: Annotated[str, typer.Argument(help="Directory to publish; an earlier export there is replaced.")],
    model: Annotated[
        str,
        typer.Option("-m", "--model", help=f"Model to export: {sources.expected()}."),
    ],
    feature: Annotated[
        str,
        typer.Option(
            "--feature", help="Feature to export (see `tfexport features`); auto: that of the checkpoint's own class."
        ),
    ] = "default",
    framework: Annotated[
        str | None, typer.Option("--framework", help="pt or tf; by default the checkpoint's own framework.")
    ] = None,
    opset: Annotated[
        int | None, typer.Option("--opset", help="Version of the ONNX operator set; 18 for most models by default.")
    ] = None,
    atol: Annotated[
        float | None,
        typer.Option("--atol", help="Absolute tolerance of the validation; by default the declaration's."),
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option("--rtol", help="Tolerance relative to the largest magnitude of an output; 2e-5 by default."),
    ] = None,
    cache_dir: Annotated[
        Path | None, typer.Option("--cache-dir", "--cache_dir", help="Folder in which transformers keeps downloads.")
    ] = None,
    preprocessor: Annotated[
        str,
        typer.Option(
            "--preprocessor",
            help="Preprocessor to load: auto, tokenizer, feature_extractor, image_processor or processor.",
        ),
    ] = "auto",
    model_type: ModelType = None,
    allow_missing_weights: Annotated[
        bool,
        typer.Option(
            "--allow-missing-weights", help="Export weights that the checkpoint lacks as they were initialised."
        ),
    ] = False,
    keep_invalid: Annotated[
        bool, typer.Option("--keep-invalid", help="Publish a file that fails validation, marked as such.")
    ] = False,
    monolith: Annotated[
        bool,
        typer.Option(
            "--monolith", help="Write an encoder-decoder as one model.onnx, in place of the files that clients load."
        ),
    ] = False,
    genai: Annotated[
        bool,
        typer.Option(
            "--genai",
            help="Write genai_config.json for onnxruntime-genai, beside a decoder-only model with a cache.",
        ),
    ] = False,
    trust: Trust = False,
    signature: Signature = None,
    tag: Tag = None,
    input_shapes: InputShapes = None,
    axis_names: AxisNames = None,
    inputs_as_nchw: InputsAsNchw = "",
    outputs_as_nchw: OutputsAsNchw = "",
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
    export_with_transformers: Annotated[bool, typer.Option("--export_with_transformers", hidden=True)] = False,
) -> None:
    """Export a checkpoint to ONNX: load, convert, validate, publish."""
    parameters = locals()
    with screen(verbose, debug) as terminal:
        from tfexport.pipeline.export import export_model  # imported when needed: --help must not load a framework
        from tfexport.pipeline.manifest import summary
        from tfexport.pipeline.options import ExportKeywords

        options = keywords(parameters, ExportKeywords.__optional_keys__)
        with terminal.progress(as_json) as announce:
            result = export_model(model, output, progress=announce, **options)
        terminal.done(f"The export is published in {result.path}.")
        if as_json:
            terminal.json(result.manifest)
        else:
            terminal.table(str(result.path), [], summary(result.manifest))
    raise typer.Exit(DONE if result.valid else INVALID)


@app.command()
def features(
    model_type: Annotated[str | None, typer.Argument(help="One model type; all of them by default.")] = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """List the features that can be exported, by model type, with the class of each framework."""
    with screen(verbose, debug) as terminal:
        from tfexport.declarations.features import declaration_of, supported

        wanted = declaration_of(model_type).model_type if model_type else None
        found = [entry for entry in supported() if wanted in (None, entry.model_type)]
        if as_json:
            terminal.json([{"model_type": e.model_type, "feature": e.feature, **e.classes} for e in found])
        else:
            rows = [(e.model_type, e.feature, e.classes.get("tf", "-"), e.classes.get("pt", "-")) for e in found]
            terminal.table("", ["model type", "feature", "TensorFlow", "PyTorch"], rows)


@app.command()
def doctor(as_json: AsJson = False, verbose: Verbose = False, debug: Debug = False) -> None:
    """Report which packages are installed, which backends work here, and which versions have known faults."""
    with screen(verbose, debug) as terminal:
        from tfexport.doctor.report import examine

        findings = examine()
        if as_json:
            terminal.json(findings.as_dict())
        else:
            terminal.table("", ["", "", ""], findings.rows())
    raise typer.Exit(DONE if findings.healthy else INVALID)
