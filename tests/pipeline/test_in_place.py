"""A target that cannot be renamed gets its files one by one; killed at any moment, what its manifest says is true."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import support
from tests.pipeline.small_exports import export
from tfexport.errors import OutputError, OutputExistsError
from tfexport.files import renaming
from tfexport.pipeline import in_place, publishing
from tfexport.pipeline import target as targets
from tfexport.pipeline.staging import staged

CAVEAT = "was not replaced in one step"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that passes for a mount point."""
    target = tmp_path / "out"
    target.mkdir()
    monkeypatch.setattr(targets, "_is_mount", lambda path: path == target)
    return target


def test_files_are_replaced_and_the_directory_stays(mounted: Path) -> None:
    inode = mounted.stat().st_ino
    export(mounted, "model.onnx", "onnx/a/b", "onnx/c")
    manifest = export(mounted, "model.onnx", "onnx/c", "added")
    assert support.assert_complete(mounted) == manifest
    assert mounted.stat().st_ino == inode
    assert sorted(path.name for path in mounted.rglob("*")) == ["added", "c", "model.onnx", "onnx", "tfexport.json"]
    assert manifest["caveats"][0] == "another"
    assert CAVEAT in manifest["caveats"][1]
    assert support.leftovers(mounted) == []


def test_the_users_files_are_not_lost(mounted: Path) -> None:
    export(mounted, "model.onnx")
    (mounted / "lost+found").mkdir()
    export(mounted, "model.onnx")  # of every ext4 volume
    (mounted / "mine").mkdir()
    with pytest.raises(OutputExistsError, match="put there: mine"):
        export(mounted, "model.onnx", "mine/x")
    assert (mounted / "mine").is_dir()


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EXDEV])
def test_a_directory_that_turns_out_to_be_fixed(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    export(target, "model.onnx", "dropped")

    def busy(first: Path, second: Path) -> bool:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(publishing, "exchange", busy)
    manifest = export(target, "model.onnx", "added/x")
    assert CAVEAT in manifest["caveats"][1]
    assert support.assert_complete(target) == manifest
    assert support.snapshot(tmp_path).keys() == {f"out/{name}" for name in ("model.onnx", "added/x", "tfexport.json")}


def test_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's shell would stand in a directory that is gone."""
    monkeypatch.chdir(tmp_path)
    for names in (("model.onnx", "a"), ("model.onnx", "b")):
        assert "working directory" in export(Path(), *names)["caveats"][1]
    support.assert_complete(tmp_path)
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("at", range(9))
def test_an_error_at_any_step_puts_the_earlier_export_back(
    at: int, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(mounted, "model.onnx", "onnx/a", "onnx/b")
    before = support.snapshot(mounted)
    calls = iter(range(100))

    def failing(source: Path, target: Path) -> None:
        if next(calls) == at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        renaming.move(source, target)

    monkeypatch.setattr(in_place, "move", failing)
    steps = 8  # four files out, four files in
    if at < steps:
        with pytest.raises(OutputError, match="could not be published"):
            export(mounted, "model.onnx", "onnx/a", "new/c")
        assert support.snapshot(mounted) == before
    else:
        export(mounted, "model.onnx", "onnx/a", "new/c")
        assert "new/c" in support.assert_complete(mounted)["files"]
    assert [path for path in mounted.rglob("*") if ".tfexport-" in path.name] == []
    assert [path for path in mounted.rglob("*") if path.is_dir() and not any(path.iterdir())] == []


def _child(function: str, target: Path, number: int, *, is_mount: bool) -> subprocess.Popen[str]:
    arguments = [function, str(target), str(number), "yes" if is_mount else "no"]
    command = [sys.executable, "-m", "tests.pipeline.small_exports", *arguments]
    with (target.parent / "errors").open("w") as errors:
        return subprocess.Popen(command, cwd=support.ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)


def test_a_kill_at_every_step_is_recovered_from(mounted: Path) -> None:
    """At each step of the publication, and of the clean-up after it."""
    complete = []
    for at in range(20):
        export(mounted, "model.onnx", "onnx/a", "onnx/b")
        before = support.snapshot(mounted)
        child = _child("export_and_die", mounted, at, is_mount=True)
        out, _ = child.communicate()
        if (mounted / "tfexport.json").exists():
            support.assert_complete_files(mounted)
        with (
            pytest.raises(ZeroDivisionError),
            staged(mounted),
        ):  # an export that fails: the next one sweeps all the same
            _ = 1 / 0
        complete.append("new" if "new/c" in support.assert_complete(mounted)["files"] else "earlier")
        if complete[-1] == "earlier":
            assert support.snapshot(mounted) == before
        assert [path for path in mounted.rglob("*") if ".tfexport-" in path.name] == []
        if out == "published\n":
            break
    assert out == "published\n"
    assert complete == sorted(complete)
    assert complete.count("earlier") >= 8
    assert complete.count("new") >= 2


@pytest.mark.parametrize("is_mount", [False, True], ids=["folder", "mount point"])
def test_thirty_kills_at_random_moments(is_mount: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.mkdir()
    if is_mount:
        monkeypatch.setattr(targets, "_is_mount", lambda path: path == target)
    export(target, "model.onnx")
    chance, without_manifest = random.Random(20261127), 0
    for number in range(30):
        child = _child("export_often", target, 10_000, is_mount=is_mount)
        assert child.stdout is not None
        assert child.stdout.readline() == "published\n", (number, (tmp_path / "errors").read_text())
        time.sleep(chance.uniform(0, 0.05))
        child.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3])
        child.communicate()
        assert child.returncode != 0
        if is_mount and not (target / "tfexport.json").exists():
            without_manifest += 1
        else:
            support.assert_complete_files(target)
    assert without_manifest < 15
    export(target, "model.onnx")
    assert support.assert_complete(target)["files"].keys() == {"model.onnx"}
    assert support.leftovers(target) == []
    assert [path.name for path in target.iterdir() if ".tfexport-" in path.name] == []


@pytest.mark.parametrize("is_mount", [False, True], ids=["folder", "mount point"])
def test_two_exports_at_once(is_mount: bool, tmp_path: Path) -> None:
    """Each publishes 100 times: no error, and the directory is complete whenever both are between two exports."""
    target = tmp_path / "out"
    target.mkdir()
    children = [_child("export_often", target, 100, is_mount=is_mount) for _ in range(2)]
    for child in children:
        child.communicate(timeout=support.CHILD_SECONDS)
    assert [child.returncode for child in children] == [0, 0]
    support.assert_complete(target)
    assert support.leftovers(target) == []
    assert [path.name for path in target.iterdir() if ".tfexport-" in path.name] == []


ON_A_REAL_MOUNT = """
set -e
mount -t tmpfs -o size=20m tmpfs "$1"
mkdir "$1/bound" "$1/elsewhere"
mount --bind "$1/elsewhere" "$1/bound"
"$2" -c 'import json, sys
from pathlib import Path
from tests.pipeline.small_exports import export
for folder in sys.argv[1:]:
    for names in (("model.onnx", "a/b"), ("model.onnx", "c")):
        manifest = export(Path(folder), *names)
        assert json.loads((Path(folder) / "tfexport.json").read_text()) == manifest
        assert "mount point" in manifest["caveats"][1], manifest
' "$1/bound"
umount "$1/bound"
rmdir "$1/bound"
rm -r "$1/elsewhere"
"$2" -c 'import sys
from pathlib import Path
from tests.pipeline.small_exports import export
for names in (("model.onnx", "a/b"), ("model.onnx", "c")):
    assert "mount point" in export(Path(sys.argv[1]), *names)["caveats"][1]
' "$1"
ls -A "$1"
"""


def test_a_real_mount_point(tmp_path: Path) -> None:
    """Of another disk, and of a folder of the same disk, as a volume of a container is."""
    allowed = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    try:
        permitted = subprocess.run(allowed, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        permitted = False
    if not permitted:
        pytest.skip("nobody may mount here; the tests above pass for it")
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", ON_A_REAL_MOUNT, "sh", str(tmp_path), sys.executable],
        cwd=support.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=support.CHILD_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["c", "model.onnx", "tfexport.json"]
