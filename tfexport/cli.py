"""The command line: parse, call, render, exit code."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from tfexport import __version__
from tfexport.errors import TfExportError, ValidationError
from tfexport.quiet import Screen, quiet

if TYPE_CHECKING:
    from rich.table import Table

DONE, INVALID, BAD_INPUT = 0, 1, 2
_UNWRAPPED = 10_000

app = typer.Typer(
    name="tfexport",
    help="Export Keras/TensorFlow and PyTorch checkpoints to ONNX, and prove the files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Verbose = Annotated[bool, typer.Option("--verbose", help="Show what TensorFlow, tf2onnx and PyTorch print.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks, and what the frameworks printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Export Keras/TensorFlow and PyTorch checkpoints to ONNX, and prove the files."""
    if version:
        typer.echo(__version__)
        raise typer.Exit(DONE)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="Directory to publish.")],
    model: Annotated[str, typer.Option("-m", "--model", help="Checkpoint folder, or hub id.")],
    feature: Annotated[
        str, typer.Option("--feature", help="What to export (see `tfexport features`); auto: what the checkpoint is.")
    ] = "default",
    framework: Annotated[
        str | None, typer.Option("--framework", help="pt or tf; by default what the checkpoint is.")
    ] = None,
    opset: Annotated[int | None, typer.Option("--opset", help="ONNX operator set; 18 by default.")] = None,
    atol: Annotated[float | None, typer.Option("--atol", help="Absolute tolerance of the validation.")] = None,
    rtol: Annotated[
        float | None, typer.Option("--rtol", help="Tolerance relative to the largest magnitude of an output.")
    ] = None,
    cache_dir: Annotated[
        Path | None, typer.Option("--cache-dir", "--cache_dir", help="Where transformers keeps what it downloads.")
    ] = None,
    preprocessor: Annotated[
        str, typer.Option("--preprocessor", help="auto, tokenizer, feature_extractor, image_processor or processor.")
    ] = "auto",
    model_type: Annotated[
        str | None, typer.Option("--model-type", help="The model type, for a config.json that names none.")
    ] = None,
    allow_missing_weights: Annotated[
        bool, typer.Option("--allow-missing-weights", help="Export weights that the checkpoint lacks as initialised.")
    ] = False,
    keep_invalid: Annotated[
        bool, typer.Option("--keep-invalid", help="Publish a file that fails validation, marked as such.")
    ] = False,
    monolith: Annotated[
        bool,
        typer.Option("--monolith", help="One model.onnx of an encoder-decoder, in place of those that clients load."),
    ] = False,
    genai: Annotated[
        bool,
        typer.Option("--genai", help="Write genai_config.json, for onnxruntime-genai, beside a decoder with past."),
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
    export_with_transformers: Annotated[bool, typer.Option("--export_with_transformers", hidden=True)] = False,
) -> None:
    """Export a checkpoint to ONNX: load, convert, validate, publish."""
    from tfexport.manifest import summary  # imported when needed: --help must not load a framework

    with _screen(verbose, debug) as screen, _progress(screen, as_json) as progress:
        from tfexport.line import export_checkpoint

        result = export_checkpoint(
            model,
            output,
            feature=feature,
            framework=framework,
            opset=opset,
            atol=atol,
            rtol=rtol,
            cache_dir=cache_dir,
            preprocessor=preprocessor,
            model_type=model_type,
            allow_missing_weights=allow_missing_weights,
            keep_invalid=keep_invalid,
            monolith=monolith,
            genai=genai,
            progress=progress,
        )
    if as_json:
        _print_json(result.manifest)
    else:
        _print_table(str(result.path), [], summary(result.manifest))
    raise typer.Exit(DONE if result.valid else INVALID)


@app.command()
def features(
    model_type: Annotated[str | None, typer.Argument(help="One model type; all of them by default.")] = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """List what can be exported: features by model type, and the class of each framework."""
    with _screen(verbose, debug):
        from tfexport.features import declaration_of, supported

        wanted = declaration_of(model_type).model_type if model_type else None
        found = [entry for entry in supported() if wanted in (None, entry.model_type)]
    if as_json:
        _print_json([{"model_type": e.model_type, "feature": e.feature, **e.classes} for e in found])
        return
    rows = [(e.model_type, e.feature, e.classes.get("tf", "-"), e.classes.get("pt", "-")) for e in found]
    _print_table("", ["model type", "feature", "TensorFlow", "PyTorch"], rows)


@app.command()
def doctor(as_json: AsJson = False, verbose: Verbose = False, debug: Debug = False) -> None:
    """Say what is installed, what works here, and what is known to break in these versions."""
    with _screen(verbose, debug):
        from tfexport.doctor import examine

        findings = examine()
    if as_json:
        _print_json(findings.as_dict())
    else:
        _print_table("", ["", "", ""], findings.rows())
    raise typer.Exit(DONE if findings.healthy else INVALID)


@contextmanager
def _screen(verbose: bool, debug: bool) -> Iterator[Screen]:
    """The process boundary: errors become one message and an exit code."""
    with quiet(verbose) as screen:
        try:
            yield screen
        except typer.Exit:
            raise
        except TfExportError as error:
            _report(screen, str(error), debug)
            raise typer.Exit(INVALID if isinstance(error, ValidationError) else BAD_INPUT) from error
        except Exception as error:
            _report(
                screen, f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)", debug
            )
            raise typer.Exit(BAD_INPUT) from error


def _report(screen: Screen, message: str, debug: bool) -> None:
    if debug:
        screen.err.write(screen.heard())
        traceback.print_exc(file=screen.err)
    screen.err.write(f"error: {' '.join(message.split())}\n")  # one line, also of what a framework said in many
    screen.err.flush()


@contextmanager
def _progress(screen: Screen, as_json: bool) -> Iterator[Callable[[str], None]]:
    """A line that names the stage at work; on a terminal with a spinner and the time so far."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=screen.err)
    if not console.is_terminal:
        yield lambda name: None if as_json else _say(screen.err, name)
        return
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("starting")
        yield lambda name: bar.update(task, description=name)


def _say(stream: IO[str], name: str) -> None:
    stream.write(f"{name}\n")
    stream.flush()


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def _print_table(title: str, columns: list[str], rows: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table: Table = Table(title=title or None, show_header=any(columns), box=None, title_justify="left", pad_edge=False)
    for index in range(len(columns) or len(rows[0])):
        is_label = index == 0 and not any(columns)
        table.add_column(columns[index] if columns else "", style="bold" if is_label else None, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    console = Console(markup=False, highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    console.width = _UNWRAPPED  # in a pipe or a file nothing is folded, and no line ends in blanks
    with console.capture() as captured:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
