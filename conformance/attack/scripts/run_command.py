"""Runs the command line in an odd surrounding, which the first argument names; the others are those of the command."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def _gone() -> None:
    """Let the working folder be removed."""
    folder = Path(os.environ["TMPDIR"]) / "gone"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()


def _deep_stack() -> None:
    """Leave little room for recursion."""
    sys.setrecursionlimit(700)


_SURROUNDINGS = {"a working folder that is gone": _gone, "little recursion": _deep_stack}

if __name__ == "__main__":
    from tfexport.cli import app

    _SURROUNDINGS[sys.argv[1]]()
    app(sys.argv[2:], prog_name="tfexport")
