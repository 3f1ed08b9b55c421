"""The corners of an export's files: one a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfexport.errors import ProcessError
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import CPU, Files, run_files
from tfexport.parity.frameworks import Ran
from tfexport.parity.matrix import Corner
from tfexport.pipeline.manifest import contracts_of
from tfexport.processes.isolation import Caller


def file_corners(
    name: str,
    paths: Mapping[str, Path],
    manifest: Mapping[str, Any],
    providers: Sequence[str],
    source: Ran,
    exchange: Exchange,
    call: Caller,
    say: Callable[[str], None],
) -> list[Corner]:
    """Run the files of an export on every case that their source takes.

    Args:
        name: of the corner on the CPU; another provider's has it behind.
        paths: the files, by part.
        manifest: of the export, for what the files promise; empty where there is none.
        providers: execution providers of ONNX Runtime.
        source: what made the inputs.
        exchange: where arrays lie.
        call: how work is called.
        say: called with a line on what is being done.
    """
    taken = {
        part: [number for number in range(len(cases)) if number not in source.problems.get(part, ())]
        for part, cases in source.cases.items()
    }
    found = []
    for provider in providers:
        called = name if provider == CPU else f"{name} on {provider}"
        say(f"running {called}")
        files = Files(paths, contracts_of(manifest), provider)
        try:
            found.append(Corner(called, call(run_files, files, exchange.folder, called, taken)))
        except ProcessError as error:
            found.append(Corner(called, None, str(error)))
    return found
