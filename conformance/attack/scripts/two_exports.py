"""Exports twice at the same time to one target, ten times: the target is always one complete export.

Arguments: the model and the target.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from conformance.attack.scripts.reporting import done, is_complete, problem, staged_beside
from tfexport import export_model
from tfexport.errors import TfExportError

_ROUNDS = 10


def main(model: str, target: Path) -> None:
    """Export."""
    for number in range(_ROUNDS):
        if number == _ROUNDS // 2:
            shutil.rmtree(target)  # the first half replaces an earlier export; the second begins without one
        children = [_forked(model, target) for _ in range(2)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if 0 not in codes or not set(codes) <= {0, 2}:
            problem(f"round {number} ended with {codes}")
        if not is_complete(target):
            problem(f"round {number}: the target is not a complete export")
    if staged_beside(target):
        problem(f"left {staged_beside(target)}")
    done()


def _forked(model: str, target: Path) -> int:
    child = os.fork()
    if child == 0:
        code = 9
        try:
            export_model(model, target, framework="pt")
            code = 0
        except TfExportError:
            code = 2
        except BaseException as error:
            print(f"PROBLEM: {type(error).__name__}: {error}", flush=True)
        os._exit(code)
    return child


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
