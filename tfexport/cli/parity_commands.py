"""``tfexport parity`` and ``tfexport validate``: compare frameworks and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tfexport.checkpoints import sources
from tfexport.cli.shared_options import AxisNames, InputShapes, ModelType, Signature, Tag, Trust, keywords
from tfexport.cli.terminal import DONE, INVALID, AsJson, Debug, Terminal, Verbose, screen

_Feature = Annotated[str | None, typer.Option("--feature", help="Feature to compare (see `tfexport features`).")]
_Framework = Annotated[str | None, typer.Option("--framework", help="Framework of the reference: pt or tf.")]
_Providers = Annotated[str, typer.Option("--providers", help="Execution providers of ONNX Runtime. Example: cpu,cuda.")]
_Atol = Annotated[float | None, typer.Option("--atol", help="Absolute tolerance; by default the declaration's.")]
_Rtol = Annotated[
    float | None, typer.Option("--rtol", help="Tolerance relative to the largest magnitude of an output.")
]
_CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="Folder of transformers' downloads.")]
_Output = Annotated[Path | None, typer.Option("--output", help="File for the whole report as JSON.")]
_Html = Annotated[Path | None, typer.Option("--html", help="File for the report as an HTML page.")]
_Repro = Annotated[
    Path | None, typer.Option("--repro", help="Folder for failing cases, in the layout of ONNX's backend tests.")
]
_TimeLimit = Annotated[
    float | None,
    typer.Option("--time-limit", help="Seconds for each process; by default more for large and slow models."),
]


def parity(
    checkpoint: Annotated[str | None, typer.Argument(help=f"Model to compare: {sources.expected()}.")] = None,
    model_tf: Annotated[
        str | None, typer.Option("--model-tf", help="TensorFlow checkpoint; requires --model-pt.")
    ] = None,
    model_pt: Annotated[str | None, typer.Option("--model-pt", help="PyTorch checkpoint of the same model.")] = None,
    feature: _Feature = "default",
    providers: _Providers = "cpu",
    atol: _Atol = None,
    rtol: _Rtol = None,
    cache_dir: _CacheDir = None,
    model_type: ModelType = None,
    monolith: Annotated[bool, typer.Option("--monolith", help="Export an encoder-decoder to one file.")] = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="Folder in which the exported files are kept.")] = None,
    repro: _Repro = None,
    time_limit: _TimeLimit = None,
    output: _Output = None,
    html: _Html = None,
    trust: Trust = False,
    signature: Signature = None,
    tag: Tag = None,
    input_shapes: InputShapes = None,
    axis_names: AxisNames = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Compare a checkpoint in TensorFlow, in PyTorch, and the ONNX files exported from each: every pair, on every case."""
    parameters = locals()
    with screen(verbose, debug) as terminal, terminal.progress(as_json) as announce:
        _check(output, html)
        from tfexport.checkpoints.signature import SignatureKeywords, signature_options
        from tfexport.parity.api import parity as compare

        report = compare(
            checkpoint,
            model_tf=model_tf,
            model_pt=model_pt,
            feature="default" if feature is None else feature,
            providers=_split(providers),
            atol=atol,
            rtol=rtol,
            cache_dir=cache_dir,
            model_type=model_type,
            monolith=monolith,
            keep=keep,
            repro=repro,
            time_limit_s=time_limit,
            options=signature_options(**keywords(parameters, SignatureKeywords.__optional_keys__)),
            progress=announce,
        )
        document, lines = report.as_dict(), report.lines()
        _write(document, output, html)
        _show(terminal, document, lines, as_json)
    raise typer.Exit(DONE if document["agrees"] else INVALID)


def validate(
    directory: Annotated[Path, typer.Argument(help="Exported directory, of this or another tool.")],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Checkpoint; by default the one that the manifest names.")
    ] = None,
    feature: _Feature = None,
    framework: _Framework = None,
    providers: _Providers = "cpu",
    atol: _Atol = None,
    rtol: _Rtol = None,
    cache_dir: _CacheDir = None,
    model_type: ModelType = None,
    repro: _Repro = None,
    time_limit: _TimeLimit = None,
    output: _Output = None,
    html: _Html = None,
    trust: Trust = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Check an exported directory: its checksums, its structure, and its outputs against those of its checkpoint."""
    with screen(verbose, debug) as terminal, terminal.progress(as_json) as announce:
        _check(output, html)
        from tfexport.parity.exported_directory import validate_export

        report = validate_export(
            directory,
            reference=reference,
            feature=feature,
            framework=framework,
            providers=_split(providers),
            atol=atol,
            rtol=rtol,
            cache_dir=cache_dir,
            model_type=model_type,
            repro=repro,
            time_limit_s=time_limit,
            trust=trust,
            progress=announce,
        )
        document, lines = report.as_dict(), report.lines()
        _write(document, output, html)
        _show(terminal, document, lines, as_json)
    raise typer.Exit(DONE if document["agrees"] else INVALID)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _check(output: Path | None, html: Path | None) -> None:
    """Check at once whether the reports can be written in the end."""
    from tfexport.files.writing import check_writable
    from tfexport.reporting.requirements import PAGE, require

    check_writable(file for file in (output, html) if file is not None)
    if html is not None:
        require(PAGE)


def _write(document: dict[str, Any], output: Path | None, html: Path | None) -> None:
    from tfexport.files.writing import write_text

    if output is not None:
        write_text(output, json.dumps(document, indent=1, allow_nan=False) + "\n", what="the report")
    if html is not None:
        from tfexport.parity.report import html as page

        write_text(html, page(document), what="the page")


def _show(terminal: Terminal, document: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        terminal.json(document)
    else:
        terminal.lines(lines)
