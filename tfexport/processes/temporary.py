"""Temporary folders of our own processes: frameworks leave files in them, and they are removed with all that is in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tfexport.files.locked_folders import locked_folder, remove_tree, sweep
from tfexport.processes.environment import environment

_PREFIX = "tfexport-"
_INDUCTOR = "TORCHINDUCTOR_CACHE_DIR"
"""Folder that PyTorch derives from TMPDIR once, keeps in this variable, and makes anew when it is gone."""


@contextmanager
def temporary_variables() -> Iterator[Mapping[str, str]]:
    """Make a temporary folder for the duration of a block, and return the environment variables that name it.

    A folder that a killed process left is removed by the next one. If a folder cannot be made, the mapping is empty.
    """
    with ExitStack() as stack:
        variables: dict[str, str] = {}
        try:
            parent = Path(tempfile.gettempdir())
            sweep(parent, _PREFIX, remove_tree, inside=True)
            made = stack.enter_context(locked_folder(parent, _PREFIX, remove_tree, mode=0o700, inside=True))
            variables = {"TMPDIR": str(made), _INDUCTOR: os.environ.get(_INDUCTOR, str(made / "torchinductor"))}
        except OSError:
            pass
        yield variables


@contextmanager
def temporary_folder() -> Iterator[None]:
    """Give this process and its children a temporary folder of their own for the duration of a block."""
    with ExitStack() as stack:
        variables = stack.enter_context(temporary_variables())
        if variables:
            stack.enter_context(environment(variables, exclusive=False))
            stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
            tempfile.tempdir = variables["TMPDIR"]
        yield
