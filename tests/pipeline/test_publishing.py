"""Staging and publishing: the target is absent, or the old export, or the new one, and always complete."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tfexport.errors import OutputError, OutputExistsError
from tfexport.files.locked_folders import machine
from tfexport.pipeline import publishing
from tfexport.pipeline.publishing import publish
from tfexport.pipeline.staging import staged


def _export(target: Path, content: str = "one", **more: str) -> dict[str, Any]:
    with staged(target) as stage:
        (stage / "model.onnx").write_text(content)
        for name, text in more.items():
            file = stage / name.replace("__", "/")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return publish(stage, target, {"opset": 18})


KILLED = """
import os, signal, sys
from pathlib import Path
from tfexport.pipeline.staging import staged
with staged(sys.argv[1]) as stage:
    (stage / "model.onnx").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
ALIVE = """
import sys
from tfexport.pipeline.staging import staged
with staged(sys.argv[1]) as stage:
    (stage / "model.onnx").write_text("half")
    print(stage, flush=True)
    sys.stdin.read()
"""


def _left_by_a_killed_process(target: Path) -> Path:
    """A stage whose process was killed; its lock file lies beside it."""
    subprocess.run([sys.executable, "-c", KILLED, target], cwd=support.ROOT, check=False)
    (stage,) = (file for file in target.parent.glob(f".{target.name}.tfexport-*") if file.is_dir())
    return stage


def _lock_of(stage: Path) -> Path:
    return stage.with_name(f"{stage.name}.lock")


def test_a_new_target(tmp_path: Path) -> None:
    target = tmp_path / "made" / "on" / "the" / "way"
    manifest = _export(target, config__json="{}", sub__file="x")
    assert support.assert_complete(target) == manifest
    assert manifest["opset"] == 18
    assert sorted(support.snapshot(target)) == ["config/json", "model.onnx", "sub/file", "tfexport.json"]
    assert support.leftovers(target) == []


def test_the_manifest_is_json_without_nan(tmp_path: Path) -> None:
    with staged(tmp_path / "out") as stage, pytest.raises(ValueError, match="not JSON compliant"):
        publish(stage, tmp_path / "out", {"error": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    _export(tmp_path / "out")
    support.assert_complete(tmp_path / "out")


def test_an_earlier_export_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _export(target, "one", dropped="x")
    _export(target, "two", added="y")
    assert sorted(support.assert_complete(target)["files"]) == ["added", "model.onnx"]
    assert (target / "model.onnx").read_text() == "two"
    assert support.leftovers(target) == []


def test_without_an_atomic_exchange_the_export_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "exchange", lambda first, second: False)  # as on macOS
    _export(tmp_path / "out", "one")
    _export(tmp_path / "out", "two")
    support.assert_complete(tmp_path / "out")
    assert (tmp_path / "out" / "model.onnx").read_text() == "two"
    assert support.leftovers(tmp_path / "out") == []


@pytest.mark.parametrize("name", ["notes.txt", "sub/notes.txt", ".hidden", "model.onnx_data"])
@pytest.mark.parametrize("earlier", [True, False])
def test_files_of_the_users_are_not_lost(name: str, earlier: bool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if earlier:
        _export(target)
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    before = support.snapshot(target)
    with pytest.raises(OutputExistsError, match=name.split("/")[0].replace(".", r"\.")):
        _export(target, "two")
    assert support.snapshot(target) == before
    assert support.leftovers(target) == []


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"files": 3}', "null"])
def test_a_manifest_that_is_none_protects_the_files(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tfexport.json").write_text(manifest)
    with pytest.raises(OutputExistsError, match=r"tfexport\.json"):
        _export(tmp_path / "out")
    assert (tmp_path / "out" / "tfexport.json").read_text() == manifest


def test_a_file_that_appears_while_the_export_runs_is_not_lost(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _export(target)
    with staged(target) as stage:
        (stage / "model.onnx").write_text("two")
        (target / "notes.txt").write_text("mine")
        with pytest.raises(OutputExistsError, match=r"notes\.txt"):
            publish(stage, target, {})
    assert (target / "notes.txt").read_text() == "mine"
    assert (target / "model.onnx").read_text() == "one"


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputExistsError, match="is a file"):
        _export(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_a_target_that_names_an_onnx_file(exists: bool, tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    if exists:
        target.write_text("mine")
    before = support.snapshot(tmp_path)
    with pytest.raises(OutputError, match="names a file. Give the directory"):
        _export(target)
    assert support.snapshot(tmp_path) == before
    assert target.exists() == exists


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        _export(tmp_path / "file" / "out")


@pytest.mark.parametrize("points_to", ["an export", "an empty directory", "nothing yet"])
def test_a_symbolic_link_stays_and_what_it_points_to_is_the_target(points_to: str, tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real", tmp_path / "link"
    if points_to == "an export":
        _export(real)
    elif points_to == "an empty directory":
        real.mkdir(parents=True)
    link.symlink_to("disk/real")
    _export(link, "two")
    assert link.is_symlink()
    assert not real.is_symlink()
    support.assert_complete(real)
    assert (link / "model.onnx").read_text() == "two"
    assert support.leftovers(link) == support.leftovers(real) == []


def test_the_stage_goes_when_the_export_fails(tmp_path: Path) -> None:
    _export(tmp_path / "out")
    before = support.snapshot(tmp_path / "out")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out") as stage:
        assert stage.is_dir()
        assert stage.parent == tmp_path
        assert stage.name.startswith(".out.tfexport-")
        (stage / "model.onnx").write_text("half")
        _ = 1 / 0
    assert support.snapshot(tmp_path / "out") == before
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_stage_of_a_killed_process_is_swept(tmp_path: Path) -> None:
    stage = _left_by_a_killed_process(tmp_path / "out")
    assert _lock_of(stage).is_file()
    _export(tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("is_held", [False, True])
def test_a_lock_file_of_a_process_that_was_killed_as_it_began(is_held: bool, tmp_path: Path) -> None:
    """Empty, and without a folder: the process had not named its machine."""
    lock = tmp_path / ".out.tfexport-4321-0a1b2c3d.lock"
    with lock.open("w") as file:
        if is_held:
            fcntl.flock(file, fcntl.LOCK_EX)
        _export(tmp_path / "out")
    assert lock.exists() == is_held


def test_a_lock_file_that_is_lost_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, left = fcntl.flock, iter([True, True, False])

    def after_another_sweep(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and next(left, False):
            next(tmp_path.glob(".out*.lock")).unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", after_another_sweep)
    with staged(tmp_path / "out") as stage:
        assert _lock_of(stage).read_text() == machine()
    assert list(tmp_path.iterdir()) == []


def test_a_stage_of_another_target_is_left(tmp_path: Path) -> None:
    stage = _left_by_a_killed_process(tmp_path / "other")
    _export(tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "out", stage, _lock_of(stage)])


def test_a_live_stage_is_left_whose_process_has_no_visible_id(tmp_path: Path) -> None:
    """As of another container, which has ids of its own."""
    target = tmp_path / "out"
    live = subprocess.Popen(
        [sys.executable, "-c", ALIVE, target],
        cwd=support.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert live.stdout is not None
    stage = Path(live.stdout.readline().strip())
    hidden = stage.with_name(stage.name.replace(str(live.pid), str(2**22 + 1)))  # above the largest id of Linux
    stage.rename(hidden)
    _lock_of(stage).rename(_lock_of(hidden))
    try:
        _export(target)
        assert (hidden / "model.onnx").read_text() == "half"
    finally:
        live.communicate()
    support.assert_complete(target)


@pytest.mark.parametrize("machine", ["another-host 11111111-2222-3333-4444-555555555555", "", "\xff"])
def test_a_stage_that_cannot_be_judged_is_left(machine: str, tmp_path: Path) -> None:
    """Of another host on a shared volume, where a lock may look free; or of a process that was killed as it began."""
    stage = _left_by_a_killed_process(tmp_path / "out")
    _lock_of(stage).write_text(machine, encoding="latin-1")
    _export(tmp_path / "out")
    assert (stage / "model.onnx").read_text() == "half"
    assert _lock_of(stage).is_file()


def test_a_stage_of_another_start_of_this_host_is_left(tmp_path: Path) -> None:
    stage = _left_by_a_killed_process(tmp_path / "out")
    host = _lock_of(stage).read_text().split(" ")[0]
    _lock_of(stage).write_text(f"{host} 11111111-2222-3333-4444-555555555555")
    _export(tmp_path / "out")
    assert (stage / "model.onnx").read_text() == "half"


@pytest.mark.parametrize(
    "name",
    [
        ".out.tfexport-2024-backup-of-my-thesis",
        ".out.tfexport-4321-0a1b2c3d-old",
        ".out.tfexport-x4321-0a1b2c3d",
        ".out.tfexport-4321-0a1b2c3d.copy",
        ".out.tfexport-4321-0a1b2c3d.lock",
        ".outXtfexport-4321-0a1b2c3d",
        "out.tfexport-4321-0a1b2c3d",
    ],
)
def test_folders_of_the_users_are_left(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("mine")
    _export(tmp_path / "out")
    assert (tmp_path / name / "thesis.tex").read_text() == "mine"


NO_PROCESS = 2**22 + 1
"""Above the largest number that Linux gives to a process."""


@pytest.mark.parametrize(
    ("process", "age_s", "is_left"),
    [(NO_PROCESS, 0, False), (os.getpid(), 0, True), (NO_PROCESS, 10 * 365 * 86400, True)],
    ids=["ended", "alive", "before the last boot"],
)
def test_a_stage_without_a_lock_file(process: int, age_s: int, is_left: bool, tmp_path: Path) -> None:
    """Earlier versions had no lock files."""
    stage = tmp_path / f".out.tfexport-{process}-0a1b2c3d"
    stage.mkdir()
    (stage / "model.onnx").write_text("half")
    os.utime(stage, (time.time() - age_s,) * 2)
    _export(tmp_path / "out")
    assert stage.exists() == is_left


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    stage = _left_by_a_killed_process(tmp_path / "out")
    _lock_of(stage).rename(tmp_path / "elsewhere")
    _lock_of(stage).symlink_to(tmp_path / "elsewhere")
    _export(tmp_path / "out")
    assert (stage / "model.onnx").read_text() == "half"


def test_the_lock_file_is_not_published(tmp_path: Path) -> None:
    with staged(tmp_path / "out") as stage:
        assert _lock_of(stage).read_text() == machine()
        (stage / "model.onnx").write_text("one")
        publish(stage, tmp_path / "out", {})
    assert sorted(support.snapshot(tmp_path)) == ["out/model.onnx", "out/tfexport.json"]


def test_without_locks_of_files_the_export_is_published_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    stage = _left_by_a_killed_process(tmp_path / "out")
    monkeypatch.setattr("fcntl.flock", refuse)
    _export(tmp_path / "out")
    support.assert_complete(tmp_path / "out")
    assert support.leftovers(tmp_path / "out") == sorted([stage.name, _lock_of(stage).name])


@pytest.mark.parametrize("target_is_back", [False, True])
def test_a_kill_between_the_two_renames(target_is_back: bool, tmp_path: Path) -> None:
    """The old export waits beside its place; the next run puts it back, whatever becomes of that run."""
    target, kept = tmp_path / "out", tmp_path / "kept"
    _export(target, "old")
    target.rename(kept)
    stage = _left_by_a_killed_process(target)
    if target_is_back:
        (tmp_path / "newer").mkdir()
        _export(tmp_path / "newer", "newer")
        (tmp_path / "newer").rename(target)
    kept.rename(stage.with_name(f"{stage.name}-old"))
    with pytest.raises(ZeroDivisionError), staged(target):
        _ = 1 / 0
    support.assert_complete(target)
    assert (target / "model.onnx").read_text() == ("newer" if target_is_back else "old")
    assert support.leftovers(target) == []


def test_relative_targets_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _export(Path("here"))
    _export(Path("~/there"))
    support.assert_complete(tmp_path / "here")
    support.assert_complete(tmp_path / "home" / "there")


def test_the_manifest_lists_sizes_and_checksums(tmp_path: Path) -> None:
    _export(tmp_path / "out", "one")
    listed = json.loads((tmp_path / "out" / "tfexport.json").read_text())["files"]
    checksum = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # sha256sum of "one"
    assert listed == {"model.onnx": {"bytes": 3, "sha256": checksum}}


def test_a_failure_between_the_two_renames_puts_the_earlier_export_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where directories cannot be exchanged: the lock file goes with the process, so that no later export would do it."""
    target = tmp_path / "out"
    _export(target, "old")
    monkeypatch.setattr(publishing, "exchange", lambda first, second: False)
    rename = Path.rename

    def full(self: Path, to: Path) -> Path:
        if to == target and not self.name.endswith("-old"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="could not be published"):
        _export(target, "new")
    monkeypatch.undo()
    support.assert_complete(target)
    assert (target / "model.onnx").read_text() == "old"
    assert support.leftovers(target) == []
