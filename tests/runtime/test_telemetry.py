"""ONNX Runtime leaves nothing in the temporary folder, and the environment is the user's afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import support

PROGRAM = """
import os
kept = {name: os.environ[name] for name in ("TMPDIR", "ORT_DISABLE_TELEMETRY") if name in os.environ}
os.environ.clear()  # ONNX Runtime sends nothing either where a variable says that it runs in CI
os.environ.update(kept)
from tfexport.runtime.errors import import_runtime
before = dict(os.environ)
runtime = import_runtime()
runtime.SessionOptions()
assert dict(os.environ) == before
"""


@pytest.mark.parametrize(("chosen", "left"), [(None, []), ("0", [".ses"])], ids=["by default", "as the user wishes"])
def test_the_temporary_folder(chosen: str | None, left: list[str], tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)} | ({} if chosen is None else {"ORT_DISABLE_TELEMETRY": chosen})
    ran = support.python(PROGRAM, **environment)
    assert ran.code == 0, ran.err
    assert [file.name for file in tmp_path.iterdir()] == left
