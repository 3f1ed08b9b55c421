"""After a kill at any moment the target is absent, or it is the complete old export; the next run cleans up."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tfexport
from tests import support
from tfexport.pipeline.staging import staged

STAGES = ("inspect", "load", "convert", "write", "validate", "publish")

# The product has no hooks for this: the stage's announcement is where the child kills itself.
KILLED_AT = """
import os, signal, sys
import tfexport
checkpoint, target, stage = sys.argv[1:]
def announce(name):
    if name == stage:
        os.kill(os.getpid(), signal.SIGKILL)
tfexport.export_checkpoint(checkpoint, target, feature="masked-lm", progress=announce)
"""


@pytest.fixture(scope="module")
def old_export(masked_lm: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a complete export of a feature other than that of the killed one."""
    target = tmp_path_factory.mktemp("old") / "out"
    tfexport.export_checkpoint(masked_lm("h5"), target, feature="default")
    return target


def _exports_again(checkpoint: Path, target: Path) -> None:
    """Assert that the next run removes the leftovers of the killed one, and succeeds."""
    result = tfexport.export_checkpoint(checkpoint, target, feature="masked-lm")
    assert result.valid
    assert support.assert_complete(target)["feature"] == "masked-lm"
    assert support.leftovers(target) == []


@pytest.mark.parametrize("stage", STAGES)
def test_killed_over_an_old_export(
    stage: str, masked_lm: Callable[[str], Path], old_export: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    shutil.copytree(old_export, target)
    before = support.snapshot(target)
    ran = support.python(KILLED_AT, masked_lm("h5"), target, stage)
    assert ran.code == -signal.SIGKILL, ran.err
    assert support.snapshot(target) == before
    assert support.assert_complete(target)["feature"] == "default"
    assert len(support.leftovers(target)) == (0 if stage == "inspect" else 2)  # the folder and its lock
    _exports_again(masked_lm("h5"), target)


@pytest.mark.parametrize("stage", ["write", "publish"])
def test_killed_on_the_way_to_a_new_target(stage: str, masked_lm: Callable[[str], Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    ran = support.python(KILLED_AT, masked_lm("h5"), target, stage)
    assert ran.code == -signal.SIGKILL, ran.err
    assert not target.exists()
    assert len(support.leftovers(target)) == 2
    _exports_again(masked_lm("h5"), target)


def _child(checkpoint: Path, target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tfexport", "export", "-m", checkpoint, "--feature", "masked-lm", target]
    return subprocess.Popen(
        list(map(str, command)), cwd=support.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_killed_while_the_directory_is_published(
    masked_lm: Callable[[str], Path], old_export: Path, tmp_path: Path
) -> None:
    """Another process kills the export as soon as the staging folder has a manifest."""
    target = tmp_path / "out"
    shutil.copytree(old_export, target)
    before = support.snapshot(target)
    child = _child(masked_lm("h5"), target)
    deadline = time.monotonic() + support.CHILD_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if list(tmp_path.glob(".out.tfexport-*/tfexport.json")):
            break
        time.sleep(0.001)
    child.kill()
    child.communicate()
    if support.snapshot(target) != before:  # the exchange was faster than the kill
        assert support.assert_complete(target)["feature"] == "masked-lm"
    assert support.assert_complete(target)["validated"]
    _exports_again(masked_lm("h5"), target)


def test_interrupted_from_the_keyboard(masked_lm: Callable[[str], Path], old_export: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    shutil.copytree(old_export, target)
    before = support.snapshot(target)
    child = _child(masked_lm("h5"), target)
    assert child.stderr is not None
    while (line := child.stderr.readline()) and line.strip() != "convert":
        pass
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=support.CHILD_SECONDS)
    assert child.returncode not in (0, 1, 2)
    assert "Traceback" not in err
    assert support.snapshot(target) == before
    assert support.leftovers(target) == []


def test_a_stage_of_a_run_that_is_still_going_is_left_to_it(masked_lm: Callable[[str], Path], tmp_path: Path) -> None:
    with staged(tmp_path / "out") as stage:
        (stage / "model.onnx").write_text("half")
        tfexport.export_checkpoint(masked_lm("h5"), tmp_path / "out", feature="masked-lm")
        assert (stage / "model.onnx").read_text() == "half"
