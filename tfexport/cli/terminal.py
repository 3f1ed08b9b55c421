"""The one place that prints: what commands say, their progress, their errors, and the exit codes.

All text passes `printable`: it quotes names and messages of files that others wrote.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tfexport.errors import OutputError, ValidationError
from tfexport.processes.command import check_signals, command_process, one_line
from tfexport.processes.streams import Screen, flush, quiet
from tfexport.text import Lasting, printable, shortened

if TYPE_CHECKING:
    from rich.table import Table

DONE, INVALID, BAD_INPUT = 0, 1, 2
_UsageError: Any = typer.BadParameter.__base__  # of click, or of the copy of click that newer versions of typer have
_UNWRAPPED = 10_000
_LONGEST = 5_000

Verbose = Annotated[bool, typer.Option("--verbose", help="Show the output of TensorFlow, tf2onnx and PyTorch.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks, and the output of the frameworks.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]


class Commands(TyperGroup):
    """The group of all commands: it prepares the process, and prints what typer has to say of wrong arguments."""

    def main(self, *arguments: Any, **keywords: Any) -> Any:
        """Run a command, and end the process with its exit code."""
        with command_process():
            try:
                return super().main(*arguments, **keywords)
            except OSError as error:  # of --help: all other text is printed by a `Terminal`
                raise SystemExit(_not_printed(error)) from error
            except SystemExit as done:
                failed = flush()
                if failed is not None and done.code == DONE:
                    raise SystemExit(_not_printed(failed)) from failed
                raise

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        """Parse the arguments of the group."""
        with _usage_errors():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: Any) -> Any:
        """Parse the arguments of a command, and run it."""
        with _usage_errors():
            return super().invoke(ctx)


class Terminal:
    """The screen of a command.

    Args:
        screen: The user's streams.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._done = "Nothing was lost; redirect it to a place that can be written to."

    def done(self, text: str) -> None:
        """Say what is done by now, for the error of a summary that cannot be printed."""
        self._done = text

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines on standard output."""
        self._write("".join(f"{_line(line)}\n" for line in lines))

    def json(self, value: Any) -> None:
        """Print a value as JSON in ASCII; NaN and infinity are errors."""
        self._write(json.dumps(value, indent=2, allow_nan=False) + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows as a table, with a heading if the columns have names."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table: Table = Table(
            title=Text(_line(title)) if title else None,
            show_header=any(columns),
            box=None,
            title_justify="left",
            pad_edge=False,
        )
        for index in range(len(columns) or len(rows[0])):
            is_label = index == 0 and not any(columns)
            table.add_column(columns[index] if columns else "", style="bold" if is_label else None, overflow="fold")
        for row in rows:
            table.add_row(*(_line(str(cell)) for cell in row))
        console = Console(markup=False, highlight=False, emoji=False, file=self._screen.out)
        folded = console.is_terminal
        if not folded:
            console.width = _UNWRAPPED  # in a pipe or a file nothing is folded, and no line ends in blanks
        with console.capture() as captured:
            console.print(table)
        text = captured.get()
        self._write(text if folded else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))

    @contextmanager
    def progress(self, as_json: bool) -> Iterator[Callable[[str], None]]:
        """Show the current stage on a line; on a terminal with a spinner and the time so far."""
        from rich.progress import SpinnerColumn

        with self._bar(SpinnerColumn()) as show:

            def announce(name: str) -> None:
                check_signals()
                if show is not None:
                    show(None, name)
                elif not as_json:
                    self._say(name)

            yield announce

    @contextmanager
    def share(self, as_json: bool) -> Iterator[Callable[[float, str], None]]:
        """Show what is being done and which share of it is done; on a terminal with a bar and the time left."""
        from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

        said: list[str] = []
        with self._bar(BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) as show:

            def announce(share: float, text: str) -> None:
                check_signals()
                if show is not None:
                    show(share, text)
                elif not as_json and text not in said[-1:]:
                    said.append(text)
                    self._say(f"{share:4.0%} {text}")

            yield announce

    def error(self, error: BaseException, debug: bool) -> None:
        """Print an error as one line on standard error, after the traceback if that is asked for."""
        if debug:
            noise = self._screen.captured()
            self._screen.err.write(printable(noise + "".join(traceback.format_exception(error))))
        self._screen.err.write(f"error: {one_line(error)}\n")

    def _say(self, line: str) -> None:
        self._screen.err.write(f"{_line(line)}\n")

    @contextmanager
    def _bar(self, *columns: Any) -> Iterator[Callable[[float | None, str], None] | None]:
        """Show a line that changes on a terminal; None where standard error is not one."""
        from rich.console import Console
        from rich.progress import Progress, TextColumn, TimeElapsedColumn

        console = Console(file=self._screen.err)
        if not console.is_terminal:
            yield None
            return
        text = TextColumn("{task.description}", markup=False)
        with Progress(text, *columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task("starting", total=1.0)

            def show(share: float | None, name: str) -> None:
                if isinstance(name, Lasting):
                    bar.console.print(_line(name), markup=False, highlight=False)
                else:
                    bar.update(task, completed=share, description=_line(name))

            yield show

    def _write(self, text: str) -> None:
        try:
            self._screen.out.write(text)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader has seen enough
                return
            raise OutputError(f"standard output cannot be written to: {error.strerror}. {self._done}") from error


@contextmanager
def screen(verbose: bool, debug: bool) -> Iterator[Terminal]:
    """Handle errors at the process boundary: each becomes one message and an exit code. Commands print within the block."""
    with quiet(verbose) as shown:
        terminal = Terminal(shown)
        try:
            yield terminal
        except typer.Exit:
            raise
        except Exception as error:
            check_signals()  # native code that calls Python back turns the exception of a signal into an error of its own
            terminal.error(error, debug)
            raise typer.Exit(INVALID if isinstance(error, ValidationError) else BAD_INPUT) from error


def _line(text: str) -> str:
    """Return a text as one line that can be printed."""
    return shortened(printable(text).replace("\n", "\\n"), _LONGEST)


def _not_printed(error: OSError) -> int:
    """Say that standard output cannot be written to, and return the exit code."""
    if error.errno == errno.EPIPE:
        return DONE
    if sys.stderr is not None:
        sys.stderr.write(f"error: standard output cannot be written to: {error.strerror}.\n")
    return BAD_INPUT


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Print what typer has to say of wrong arguments as the other errors, in one line after the usage of the command."""
    try:
        yield
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        if context is None or type(error).__name__ == "NoArgsIsHelpError":  # no argument at all: typer prints the help
            raise
        message = _line(error.format_message()).rstrip(".")
        sys.stderr.write(f"{context.get_usage()}\nerror: {message}. See '{context.command_path} --help'.\n")
        raise SystemExit(BAD_INPUT) from error
