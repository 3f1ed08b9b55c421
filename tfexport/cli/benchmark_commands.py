"""``tfexport benchmark``: measure, and compare two measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tfexport.cli.terminal import DONE, INVALID, AsJson, Debug, Verbose, print_json, screen
from tfexport.processes.streams import Screen


class _RunByDefault(TyperGroup):
    """``tfexport benchmark TARGET`` is ``tfexport benchmark run TARGET``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name before arguments that name none."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, no_args_is_help=True, help="Measure latency, or compare two measurements.")


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Exported directories, ONNX files, checkpoints; NAME=PATH names one.")
    ] = None,
    engines: Annotated[
        str | None, typer.Option("--engines", help="Comma-separated; the first is compared with the others.")
    ] = None,
    providers: Annotated[
        str | None, typer.Option("--providers", help="cpu, cuda, ...: no other is used instead.")
    ] = None,
    batch_sizes: Annotated[str | None, typer.Option("--batch-sizes", help="Samples a call: 1,8.")] = None,
    sequence_lengths: Annotated[str | None, typer.Option("--sequence-lengths", help="Tokens a row: 16,128.")] = None,
    threads: Annotated[str | None, typer.Option("--threads", help="Numbers, or all that may be used: 1,all.")] = None,
    boundaries: Annotated[
        str | None, typer.Option("--boundaries", help="host: NumPy in and out; device: tensors stay where they are.")
    ] = None,
    streams: Annotated[str | None, typer.Option("--streams", help="Calls under way at a time: 1,2.")] = None,
    precisions: Annotated[str | None, typer.Option("--precisions", help="fp32, tf32, bf16, fp16.")] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="That a model which writes text writes; 1 for the first: 1,32.")
    ] = None,
    launches: Annotated[
        int | None, typer.Option("--launches", help="Processes of each cell, one after the other.")
    ] = None,
    time_limit: Annotated[float | None, typer.Option("--time-limit", help="Seconds for all of it.")] = None,
    suite: Annotated[Path | None, typer.Option("--suite", help="A TOML file of targets and settings.")] = None,
    feature: Annotated[str, typer.Option("--feature", help="What of a checkpoint is exported.")] = "auto",
    framework: Annotated[str | None, typer.Option("--framework", help="pt or tf: what exports a checkpoint.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="A checkpoint of the same weights as the exported files.")
    ] = None,
    axis: Annotated[
        list[str] | None, typer.Option("--axis", help="NAME=LENGTH of an ONNX file's axis whose name does not tell.")
    ] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep what is exported from checkpoints here.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Results as JSON, every raw value in it.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="A report in one file.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Tables for a README.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="A line for each cell.")] = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Measure exported models beside the frameworks: one process a cell, no number for a wrong output."""
    with screen(verbose, debug) as shown, _share(shown, as_json) as progress:
        from tfexport.benchmark import Options, benchmark, read_suite, write
        from tfexport.benchmark.arguments import as_requests, numbers, texts
        from tfexport.benchmark.report import all_measured, render, summary
        from tfexport.reporting.requirements import PAGE, check_writable, require

        require(PAGE if html else ())
        check_writable(file for file in (output, html, markdown, csv) if file is not None)
        asked = Options(
            engines=texts(engines),
            providers=texts(providers),
            batch_sizes=numbers("--batch-sizes", batch_sizes),
            sequence_lengths=numbers("--sequence-lengths", sequence_lengths),
            threads=texts(threads),
            boundaries=texts(boundaries),
            streams=numbers("--streams", streams),
            precisions=texts(precisions),
            tokens=numbers("--tokens", tokens),
            launches=launches,
            time_limit_s=time_limit,
        )
        named = as_requests(targets or (), feature, framework, reference, axis or ())
        read = None if suite is None else read_suite(suite)
        document = benchmark(
            [*named, *(read.targets if read else ())],
            asked.over(read.options) if read else asked,
            name=read.name if read else None,
            folder=keep,
            progress=progress,
        )
        if output is not None:
            write(output, document)
        render(document, html=html, markdown=markdown, csv=csv)
        told = None if as_json else summary(document)
    if told is None:
        print_json(document)
    else:
        typer.echo(told)
    raise typer.Exit(DONE if all_measured(document) else INVALID)


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="Results of an earlier run.")],
    new: Annotated[Path, typer.Argument(help="Results of a later one.")],
    margin: Annotated[float, typer.Option("--margin", help="A ratio nearer to 1 is no regression.")] = 0.03,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Compare two results files, cell by cell; exit code 1 when something became slower, or no longer runs."""
    with screen(verbose, debug):
        from tfexport.benchmark import read
        from tfexport.benchmark.comparison import compare

        found = compare(read(old), read(new), margin)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo("\n".join(found.lines()))
    raise typer.Exit(INVALID if found.regressions else DONE)


@contextmanager
def _share(shown: Screen, as_json: bool) -> Iterator[Callable[[float, str], None]]:
    """What is being measured, with a bar and the time left on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=shown.err)
    if not console.is_terminal:
        said: list[str] = []

        def say(share: float, text: str) -> None:
            if not as_json and text not in said[-1:]:
                said.append(text)
                shown.err.write(f"{share:4.0%} {text}\n")
                shown.err.flush()

        yield say
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text)
