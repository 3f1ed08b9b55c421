"""No room to write: one clear error, no stage left, the target untouched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tfexport
from tests import support

# A limit on the size of files stops a write in the middle, as a full disk does.
LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["tfexport", *sys.argv[2:]]
runpy.run_module("tfexport", run_name="__main__")
"""


@pytest.mark.parametrize("old", [True, False])
def test_a_limit_on_the_size_of_files(old: bool, bert: Callable[[str], Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    if old:
        tfexport.export_checkpoint(bert("h5"), target)
    before = support.snapshot(target)
    ran = support.python(LIMITED, "65536", "export", "-m", bert("h5"), target)
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "model.onnx could not be written" in ran.errors[0]
    assert "limit on file sizes" in ran.errors[0]
    assert "Traceback" not in ran.err
    assert ran.err.splitlines() == ["inspect", "load", "convert", "write", *ran.errors]
    assert support.snapshot(target) == before
    assert target.exists() == old
    assert support.leftovers(target) == []


def _mounts_allowed(folder: Path) -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    mount = [unshare, "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("too_small_for", ["the graph", "its companions"])
def test_a_full_disk(too_small_for: str, bert: Callable[[str], Path], tmp_path: Path) -> None:
    """A real disk of a few hundred kilobytes holds the weights, and not the files after them."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _mounts_allowed(disk):
        pytest.skip("this machine lets nobody mount a small disk")
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(bert("h5"), checkpoint)
    (checkpoint / "merges.txt").write_bytes(bytes(1024**2))
    manifest = tfexport.export_checkpoint(checkpoint, tmp_path / "roomy").manifest
    weights = manifest["graphs"]["model.onnx"]["weight_bytes"] // 1024
    kibibytes = weights + 8 if too_small_for == "the graph" else 512
    assert weights + 16 < manifest["files"]["model.onnx"]["bytes"] // 1024 < 500
    script = (
        'mount -t tmpfs -o size="$1"k tmpfs "$2" && '
        '"$3" -m tfexport export -m "$4" "$2/out"; code=$?; ls -A "$2" >&2; exit $code'
    )
    arguments = [str(kibibytes), str(disk), sys.executable, str(checkpoint)]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=support.ROOT,
        timeout=support.CHILD_SECONDS,
    )
    ran = support.Ran(done.returncode, done.stdout, done.stderr)
    assert ran.code == 2, ran.err
    assert len(ran.errors) == 1
    assert "Traceback" not in ran.err
    assert ("validate" in ran.err.splitlines()) == (too_small_for == "its companions")
    assert "full" in ran.errors[0] or "No space left" in ran.errors[0]
    assert ran.err.splitlines()[-1] == ran.errors[0]  # `ls` has nothing to list


def test_no_place_for_the_stage(bert: Callable[[str], Path], tmp_path: Path, cli: Callable[..., support.Ran]) -> None:
    (tmp_path / "file").write_text("mine")
    ran = cli("export", "-m", bert("h5"), tmp_path / "file" / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert (tmp_path / "file").read_text() == "mine"
