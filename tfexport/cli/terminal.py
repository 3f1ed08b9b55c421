"""The parts that all commands share: the screen, the progress, the exit codes."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from tfexport.errors import TfExportError, ValidationError
from tfexport.processes.streams import Screen, quiet

if TYPE_CHECKING:
    from rich.table import Table

DONE, INVALID, BAD_INPUT = 0, 1, 2
_UNWRAPPED = 10_000

Verbose = Annotated[bool, typer.Option("--verbose", help="Show the output of TensorFlow, tf2onnx and PyTorch.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks, and the output of the frameworks.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]


@contextmanager
def screen(verbose: bool, debug: bool) -> Iterator[Screen]:
    """Handle errors at the process boundary: each becomes one message and an exit code."""
    with quiet(verbose) as shown:
        try:
            yield shown
        except typer.Exit:
            raise
        except TfExportError as error:
            _report(shown, str(error), debug)
            raise typer.Exit(INVALID if isinstance(error, ValidationError) else BAD_INPUT) from error
        except Exception as error:
            _report(shown, f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)", debug)
            raise typer.Exit(BAD_INPUT) from error


def _report(shown: Screen, message: str, debug: bool) -> None:
    if debug:
        shown.err.write(shown.captured())
        traceback.print_exc(file=shown.err)
    shown.err.write(f"error: {' '.join(message.split())}\n")  # one line, also where a framework's message has many
    shown.err.flush()


@contextmanager
def progress(shown: Screen, as_json: bool) -> Iterator[Callable[[str], None]]:
    """Show the current stage on a line; on a terminal with a spinner and the time so far."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=shown.err)
    if not console.is_terminal:
        yield lambda name: None if as_json else _say(shown.err, name)
        return
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("starting")
        yield lambda name: bar.update(task, description=name)


def _say(stream: IO[str], name: str) -> None:
    stream.write(f"{name}\n")
    stream.flush()


def print_json(value: Any) -> None:
    """Print a value as JSON; NaN and infinity are errors."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def print_table(title: str, columns: list[str], rows: list[Any]) -> None:
    """Print rows as a table, with a heading if the columns have names."""
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
