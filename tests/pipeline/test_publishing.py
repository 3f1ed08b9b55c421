"""Staging and publishing: the target is absent, or the old export, or the new one, and always complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tfexport.errors import OutputError, OutputExistsError
from tfexport.pipeline import publishing as artifacts
from tfexport.pipeline.publishing import publish, staged


def _export(target: Path, content: str = "one", **more: str) -> dict[str, Any]:
    with staged(target) as stage:
        (stage / "model.onnx").write_text(content)
        for name, text in more.items():
            file = stage / name.replace("__", "/")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return publish(stage, target, {"opset": 18})


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


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
    monkeypatch.setattr(artifacts, "_exchange", lambda first, second: False)  # as on macOS
    _export(tmp_path / "out", "one")
    _export(tmp_path / "out", "two")
    support.assert_complete(tmp_path / "out")
    assert (tmp_path / "out" / "model.onnx").read_text() == "two"
    assert support.leftovers(tmp_path / "out") == []


def test_exchange(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    if not artifacts._exchange(tmp_path / "first", tmp_path / "second"):
        pytest.skip("this file system cannot exchange directories")
    assert (tmp_path / "first" / "name").read_text() == "second"
    assert (tmp_path / "second" / "name").read_text() == "first"
    with pytest.raises(OSError, match="No such file"):
        artifacts._exchange(tmp_path / "first", tmp_path / "absent")


@pytest.mark.parametrize("name", ["notes.txt", "sub/notes.txt", ".hidden", "model.onnx_data"])
@pytest.mark.parametrize("earlier", [True, False])
def test_files_of_the_users_are_not_lost(name: str, earlier: bool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if earlier:
        _export(target)
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    before = support.snapshot(target)
    with pytest.raises(OutputExistsError, match=name.replace(".", r"\.")):
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
    assert support.snapshot(tmp_path) == before and target.exists() == exists


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
    assert link.is_symlink() and not real.is_symlink()
    support.assert_complete(real)
    assert (link / "model.onnx").read_text() == "two"
    assert support.leftovers(link) == support.leftovers(real) == []


def test_the_stage_goes_when_the_export_fails(tmp_path: Path) -> None:
    _export(tmp_path / "out")
    before = support.snapshot(tmp_path / "out")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out") as stage:
        assert stage.is_dir() and stage.parent == tmp_path and stage.name.startswith(".out.tfexport-")
        (stage / "model.onnx").write_text("half")
        _ = 1 / 0
    assert support.snapshot(tmp_path / "out") == before
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_stages_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path, dead: int) -> None:
    living = [f".out.tfexport-{os.getppid()}-0a", f".out.tfexport-{os.getpid()}-0b"]
    other = [f".other.tfexport-{dead}-0c", f".out.tfexport-x{dead}-0d", ".out", f"out.tfexport-{dead}-0e"]
    gone = [f".out.tfexport-{dead}-0f", f".out.tfexport-{dead}-1a"]
    for name in (*living, *other, *gone):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_text("half")
    _export(tmp_path / "out")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*living, *other, "out"])


@pytest.mark.parametrize("target_is_back", [False, True])
def test_a_kill_between_the_two_renames(target_is_back: bool, tmp_path: Path, dead: int) -> None:
    """The old export waits beside its place; the next run puts it back, whatever becomes of that run."""
    target = tmp_path / "out"
    _export(target, "old")
    target.rename(tmp_path / f".out.tfexport-{dead}-aa-old")
    (tmp_path / f".out.tfexport-{dead}-aa").mkdir()
    if target_is_back:
        _export(target, "newer")
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
