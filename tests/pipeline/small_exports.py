"""Exports of a few small files, by the functions that publish, without a model; also as a child of the tests of kills."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tfexport.pipeline import in_place
from tfexport.pipeline import target as targets
from tfexport.pipeline.publishing import publish
from tfexport.pipeline.staging import staged

STEPS = ("move", "remove_tree", "remove_empty")
"""Functions that change something while files are replaced one by one."""


def export(target: str | Path, *names: str, content: str = "", source: Path | None = None) -> dict[str, Any]:
    """Publish files of these names, and return the manifest."""
    with staged(target, source) as stage:
        for name in names or ("model.onnx",):
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_text(content or name)
        return publish(stage, target, {"caveats": ["another"]})


def export_often(target: str, rounds: int) -> None:
    """Publish exports with different files in turn, and say when the first one is there."""
    for number in range(rounds):
        parts = [f"part{each}.onnx" for each in range(number % 5)]
        export(target, "model.onnx", f"only/{os.getpid()}-{number % 2}", *parts, content=f"{os.getpid()} {number}")
        if number == 0:
            print("published", flush=True)


def export_and_die(target: str, at: int) -> None:
    """Publish file by file, and be killed before a step, counted from 0; say when there is no such step."""
    steps = count()

    def dying(function: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: Any) -> None:
            if next(steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            function(*arguments)

        return step

    for name in STEPS:
        setattr(in_place, name, dying(getattr(in_place, name)))
    export(target, "model.onnx", "onnx/a", "new/c")
    print("published", flush=True)


def main(function: str, target: str, number: str, mounted: str) -> None:
    """Run a function of this module on a directory, which passes for a mount point if ``mounted`` is yes."""
    if mounted == "yes":
        setattr(targets, "_is_mount", lambda path: True)  # noqa: B010
    {"export_often": export_often, "export_and_die": export_and_die}[function](target, int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
