"""``tfexport parity`` and ``tfexport validate``: do frameworks and files agree?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfexport.cli.signature_options import AxisNames, InputShapes, Signature, Tag, Trust, keywords
from tfexport.cli.terminal import DONE, INVALID, AsJson, Debug, Verbose, print_json, progress, screen

if TYPE_CHECKING:
    from tfexport.parity.report import ParityReport

_Feature = Annotated[str | None, typer.Option("--feature", help="What is compared (see `tfexport features`).")]
_Framework = Annotated[str | None, typer.Option("--framework", help="pt or tf: the framework of the reference.")]
_Providers = Annotated[str, typer.Option("--providers", help="Of ONNX Runtime: cpu,cuda.")]
_Atol = Annotated[float | None, typer.Option("--atol", help="Absolute tolerance; the declaration's by default.")]
_Rtol = Annotated[float | None, typer.Option("--rtol", help="Relative to the largest magnitude of an output.")]
_CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="Where transformers keeps downloads.")]
_Output = Annotated[Path | None, typer.Option("--output", help="The whole report as JSON.")]
_Html = Annotated[Path | None, typer.Option("--html", help="The report as a page, in one file.")]
_Repro = Annotated[
    Path | None, typer.Option("--repro", help="A folder for failing cases, in the layout of ONNX's backend tests.")
]


def parity(
    checkpoint: Annotated[
        str | None, typer.Argument(help="Checkpoint folder or hub id, Keras file, SavedModel.")
    ] = None,
    model_tf: Annotated[
        str | None, typer.Option("--model-tf", help="A TensorFlow checkpoint; with --model-pt.")
    ] = None,
    model_pt: Annotated[str | None, typer.Option("--model-pt", help="A PyTorch checkpoint of the same model.")] = None,
    feature: _Feature = "default",
    providers: _Providers = "cpu",
    atol: _Atol = None,
    rtol: _Rtol = None,
    cache_dir: _CacheDir = None,
    monolith: Annotated[bool, typer.Option("--monolith", help="One file of an encoder-decoder.")] = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the exported files here.")] = None,
    repro: _Repro = None,
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
    """Compare a checkpoint in TensorFlow, in PyTorch, and the ONNX files made from each: every pair, on every case."""
    parameters = locals()
    with screen(verbose, debug) as shown, progress(shown, as_json) as announce:
        _check(output, html)
        from tfexport.checkpoints.signature import SignatureKeywords, signature_options
        from tfexport.parity.api import parity as compare

        report = compare(
            checkpoint,
            model_tf=model_tf,
            model_pt=model_pt,
            feature=feature or "default",
            providers=_split(providers),
            atol=atol,
            rtol=rtol,
            cache_dir=cache_dir,
            monolith=monolith,
            keep=keep,
            repro=repro,
            options=signature_options(**keywords(parameters, SignatureKeywords.__optional_keys__)),
            progress=announce,
        )
        _write(report, output, html)
    _show(report, as_json)


def validate(
    directory: Annotated[Path, typer.Argument(help="An exported directory, of this or another tool.")],
    reference: Annotated[
        str | None, typer.Option("--reference", help="The checkpoint; by default the one that the manifest names.")
    ] = None,
    feature: _Feature = None,
    framework: _Framework = None,
    providers: _Providers = "cpu",
    atol: _Atol = None,
    rtol: _Rtol = None,
    cache_dir: _CacheDir = None,
    repro: _Repro = None,
    output: _Output = None,
    html: _Html = None,
    trust: Trust = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Check an exported directory again: checksums, structure, and what it computes beside its checkpoint."""
    with screen(verbose, debug) as shown, progress(shown, as_json) as announce:
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
            repro=repro,
            trust=trust,
            progress=announce,
        )
        _write(report, output, html)
    _show(report, as_json)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _check(output: Path | None, html: Path | None) -> None:
    """Refuse at once what could not be written in the end."""
    from tfexport.reporting.requirements import PAGE, check_writable, require

    check_writable(file for file in (output, html) if file is not None)
    if html is not None:
        require(PAGE)


def _write(report: ParityReport, output: Path | None, html: Path | None) -> None:
    document = report.as_dict()
    if output is not None:
        output.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    if html is not None:
        from tfexport.parity.report import html as page

        html.write_text(page(document), encoding="utf-8")


def _show(report: ParityReport, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo("\n".join(report.lines()))
    raise typer.Exit(DONE if report.agrees else INVALID)
