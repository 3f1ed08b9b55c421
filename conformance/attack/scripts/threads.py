"""Exports in threads at the same time, then alone: all succeed, and the process is as before.

Arguments: the folder of the seeds, the target, and the exports as JSON: pairs of a seed and options.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from conformance.attack.scripts.process_state import unchanged
from conformance.attack.scripts.reporting import done, is_complete, problem
from tfexport import export_model

_ROUNDS = 4


def main(seeds: Path, target: Path, jobs: list[tuple[str, dict[str, Any]]]) -> None:
    """Export."""
    for name, options in jobs:
        export_model(str(seeds / name), target, **options)
    with unchanged("after threads"):
        for _ in range(_ROUNDS):
            threads = [threading.Thread(target=_export, args=(seeds, target, n, *job)) for n, job in enumerate(jobs)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    for name, options in jobs:
        try:
            export_model(str(seeds / name), target, **options)
        except Exception as error:
            problem(f"alone, afterwards, {name}: {type(error).__name__}: {error}")
    done()


def _export(seeds: Path, target: Path, number: int, name: str, options: dict[str, Any]) -> None:
    own = target.with_name(f"thread{number}")
    try:
        export_model(str(seeds / name), own, **options)
        if not is_complete(own):
            problem(f"in a thread, {name}: not complete")
    except BaseException as error:
        problem(f"in a thread, {name}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
