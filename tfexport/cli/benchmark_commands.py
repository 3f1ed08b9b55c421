"""``tfexport benchmark``: measure latency, and compare two measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tfexport.cli.shared_options import ModelType
from tfexport.cli.terminal import DONE, INVALID, AsJson, Debug, Verbose, screen


class _RunByDefault(TyperGroup):
    """A group in which ``tfexport benchmark TARGET`` means ``tfexport benchmark run TARGET``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default command before arguments without the name of a command."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, no_args_is_help=True, help="Measure latency, or compare two measurements.")


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Exported directories, ONNX files or checkpoints, as PATH or NAME=PATH.")
    ] = None,
    engines: Annotated[
        str | None,
        typer.Option("--engines", help="Engines. The first is compared with the others. Example: ort,tf-xla."),
    ] = None,
    providers: Annotated[
        str | None,
        typer.Option("--providers", help="Execution providers; no other is used in their place. Example: cpu,cuda."),
    ] = None,
    batch_sizes: Annotated[str | None, typer.Option("--batch-sizes", help="Samples per call. Example: 1,8.")] = None,
    sequence_lengths: Annotated[
        str | None, typer.Option("--sequence-lengths", help="Tokens per row. Example: 16,128.")
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option("--threads", help="Threads; all for every processor that may be used. Example: 1,all."),
    ] = None,
    boundaries: Annotated[
        str | None, typer.Option("--boundaries", help="host: from NumPy to NumPy; device: tensors stay on the device.")
    ] = None,
    streams: Annotated[
        str | None, typer.Option("--streams", help="Calls that run at the same time. Example: 1,2.")
    ] = None,
    precisions: Annotated[str | None, typer.Option("--precisions", help="Precisions: fp32, tf32, bf16, fp16.")] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            help="Tokens to generate per call, for text-generation models; 1 measures time to first token. Example: 1,32.",
        ),
    ] = None,
    launches: Annotated[int | None, typer.Option("--launches", help="Processes per cell, one after the other.")] = None,
    time_limit: Annotated[float | None, typer.Option("--time-limit", help="Seconds for the whole measurement.")] = None,
    suite: Annotated[Path | None, typer.Option("--suite", help="TOML file of targets and settings.")] = None,
    feature: Annotated[str, typer.Option("--feature", help="Feature to export when TARGET is a checkpoint.")] = "auto",
    framework: Annotated[
        str | None, typer.Option("--framework", help="Framework that exports a checkpoint: pt or tf.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Checkpoint of the same weights as the exported files.")
    ] = None,
    model_type: ModelType = None,
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", help="NAME=LENGTH of an axis of an ONNX file, if its name does not say it."),
    ] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Folder in which exported checkpoints are kept.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File for the results as JSON, with every raw value.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="File for a report as an HTML page.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="File for tables as Markdown.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="File for comma-separated values, one line per cell.")
    ] = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Measure exported models beside the frameworks. A wrong output gets no number."""
    with screen(verbose, debug) as terminal:
        from tfexport.benchmark import Options, benchmark, read_suite, write
        from tfexport.benchmark.arguments import as_requests, numbers, texts
        from tfexport.benchmark.report import all_measured, render, summary
        from tfexport.files.writing import check_writable
        from tfexport.reporting.requirements import PAGE, require

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
        named = as_requests(targets or (), feature, framework, reference, axis or (), model_type)
        read = None if suite is None else read_suite(suite)
        with terminal.share(as_json) as progress:
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
        if as_json:
            terminal.json(document)
        else:
            terminal.lines(summary(document).split("\n"))
        measured = all_measured(document)
    raise typer.Exit(DONE if measured else INVALID)


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="Results file of an earlier run.")],
    new: Annotated[Path, typer.Argument(help="Results file of a later run.")],
    margin: Annotated[
        float, typer.Option("--margin", help="Smallest difference of a ratio from 1 that is a regression.")
    ] = 0.03,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Compare two results files, cell by cell. The exit code is 1 when a cell became slower or no longer runs."""
    with screen(verbose, debug) as terminal:
        from tfexport.benchmark import read
        from tfexport.benchmark.comparison import compare

        found = compare(read(old), read(new), margin)
        if as_json:
            terminal.json(found.as_dict())
        else:
            terminal.lines(found.lines())
        regressions = bool(found.regressions)
    raise typer.Exit(INVALID if regressions else DONE)
