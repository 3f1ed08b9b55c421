"""The target: names that cannot be that of a directory, and what is the user's in a directory that is there."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import support
from tests.pipeline.small_exports import export
from tfexport.errors import OutputError, OutputExistsError
from tfexport.files import renaming
from tfexport.pipeline import publishing
from tfexport.pipeline.target import find_target


def _export(target: Path | str, content: str = "one", source: Path | None = None) -> None:
    export(target, "model.onnx", "onnx/part.onnx", content=content, source=source)


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _socket(path: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has at most 108 bytes
    made.bind(path.name)
    os.chdir(before)
    made.close()


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


FOREIGN: dict[str, Callable[[Path], None]] = {
    "an empty folder": Path.mkdir,
    "a link to a folder": lambda path: path.symlink_to(path.parent.parent),
    "a link to a file": lambda path: path.symlink_to("model.onnx"),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a FIFO": os.mkfifo,
    "a socket": _socket,
    "a folder with a file": _folder,
}


@pytest.mark.parametrize("folder", ["", "onnx"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_the_user_keeps_in_an_earlier_export_is_not_lost(kind: str, folder: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    _export(target)
    FOREIGN[kind](target / folder / "mine")
    before = sorted(target.rglob("*"))
    with pytest.raises(OutputExistsError, match=rf"put there: {folder}/?mine\. They would be lost"):
        _export(target, "two")
    assert sorted(target.rglob("*")) == before
    assert (target / "model.onnx").read_text() == "one"
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["a link to a file", "a FIFO", "an empty folder"])
def test_another_kind_in_place_of_a_listed_file_is_the_users(kind: str, tmp_path: Path) -> None:
    _export(tmp_path / "out")
    (tmp_path / "out" / "onnx" / "part.onnx").unlink()
    FOREIGN[kind](tmp_path / "out" / "onnx" / "part.onnx")
    with pytest.raises(OutputExistsError, match=r"put there: onnx/part\.onnx"):
        _export(tmp_path / "out", "two")


def test_folders_that_only_hold_listed_files_are_ours(tmp_path: Path) -> None:
    _export(tmp_path / "out")
    _export(tmp_path / "out", "two")
    assert support.assert_complete(tmp_path / "out")["files"].keys() == {"model.onnx", "onnx/part.onnx"}


def _manifests() -> dict[str, Callable[[Path], object]]:
    listing = json.dumps({"files": {"thesis.tex": {}}})
    return {
        "a FIFO": os.mkfifo,
        "a folder": Path.mkdir,
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "deep": lambda path: path.write_text("[" * 100_000),
        "not UTF-8": lambda path: path.write_bytes(b"\xff" + listing.encode()),
        "a list": lambda path: path.write_text('["thesis.tex"]'),
        "files are a list": lambda path: path.write_text('{"files": ["thesis.tex"]}'),
        "other names": lambda path: path.write_text(
            '{"files": {"./thesis.tex": 1, "../out/thesis.tex": 1, "": 1, "/": 1}}'
        ),
        "a very long name": lambda path: path.write_text(json.dumps({"files": {"a/" * 100_000: 1}})),
        "truncated": lambda path: path.write_text(listing[:-2]),
    }


@pytest.mark.parametrize("kind", _manifests())
def test_a_manifest_that_cannot_be_read_protects_everything(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "thesis.tex").write_text("mine")
    _manifests()[kind](target / "tfexport.json")
    with pytest.raises(OutputExistsError, match=r"put there: (?=.*thesis\.tex)"):
        _export(target)
    assert (target / "thesis.tex").read_text() == "mine"
    assert os.path.lexists(target / "tfexport.json")


def test_a_walk_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target with many files is refused before all of them were looked at, and folders of the user's are not opened."""
    for number in range(300):
        (tmp_path / "out" / str(number)).mkdir(parents=True)
    opened: list[str] = []
    scandir = os.scandir

    def counted(path: Path) -> Iterator[os.DirEntry[str]]:
        opened.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    with pytest.raises(OutputExistsError, match="and more. They would be lost"):
        find_target(tmp_path / "out")
    assert opened == [str(tmp_path / "out")]
    begin = time.perf_counter()
    for large in ("/proc", "/usr", "/dev", str(Path.home())):
        with pytest.raises(OutputError):
            find_target(large)
    assert time.perf_counter() - begin < 1


def test_what_is_put_in_while_the_export_is_published_moves_to_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last look at the earlier export, and before the exchange."""
    target = tmp_path / "out"
    _export(target)

    def late(first: Path, second: Path) -> bool:
        (second / "notes").mkdir()
        (second / "notes" / "thesis.tex").write_text("mine")
        (second / "extra.onnx").write_text("mine, too")
        (first / "extra.onnx").write_text("of the new export")
        (second / "onnx" / "link").symlink_to("nowhere")
        return renaming.exchange(first, second)

    monkeypatch.setattr(publishing, "exchange", late)
    _export(target, "two")
    assert (target / "model.onnx").read_text() == "two"
    assert (target / "notes" / "thesis.tex").read_text() == "mine"
    assert (target / "onnx" / "link").is_symlink()
    assert (target / "extra.onnx").read_text() == "of the new export"
    (kept,) = target.glob("extra.onnx.kept-*")
    assert kept.read_text() == "mine, too"
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("below", ["", "sub/sub", "checkpoint"])
def test_the_checkpoint_is_not_replaced(below: str, tmp_path: Path) -> None:
    """Also where a manifest lists the checkpoint's files as those of an earlier export."""
    checkpoint = tmp_path / "out" / below
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_text("mine")
    listed: dict[str, dict[str, int]] = {
        str(file.relative_to(tmp_path / "out")): {} for file in (tmp_path / "out").rglob("*") if file.is_file()
    }
    (tmp_path / "out" / "tfexport.json").write_text(json.dumps({"files": listed}))
    with pytest.raises(OutputExistsError, match="holds the checkpoint"):
        _export(tmp_path / "out", source=checkpoint)
    assert (checkpoint / "model.safetensors").read_text() == "mine"


def test_a_target_in_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    _export(tmp_path / "checkpoint" / "onnx", source=tmp_path / "checkpoint")
    support.assert_complete(tmp_path / "checkpoint" / "onnx")


def test_the_target_keeps_its_mode(tmp_path: Path) -> None:
    _export(tmp_path / "out")
    (tmp_path / "out").chmod(0o700)
    _export(tmp_path / "out", "two")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "has an empty name"),
        ("/", "is the root of the file system"),
        ("{}/" + "o" * 300, "too long"),
        ("{}/new/" + "o" * 300, "at most 255 bytes"),
        ("{}/" + "o" * 5000, "too long"),
        ("{}/" + "/o" * 3000, "too long"),
        ("{}/caf\udce9", "not UTF-8"),
        ("~nobody-of-that-name/out", "cannot be the name"),
        ("{}/loop", "[Ll]oop|links"),
        ("{}/null\0character", "null"),
        ("/dev/null", "is not a directory"),
        ("{}/fifo", "is not a directory"),
        ("{}/file", "is a file"),
        ("{}/file/below", "is not a folder|Not a directory"),
        ("/proc/nothing/here", "nothing can be written in /proc|may not write"),
        ("{}/model.onnx", "names a file"),
    ],
)
def test_names_that_are_refused(name: str, says: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    before = _names(tmp_path)
    with pytest.raises(OutputError, match=says) as caught:
        _export(name.format(tmp_path))
    assert len(str(caught.value).splitlines()) == 1
    assert _names(tmp_path) == before


@pytest.mark.parametrize("name", ["o" * 255, "ö" * 127, "o" * 101])
def test_the_longest_names(name: str, tmp_path: Path) -> None:
    _export(tmp_path / name)
    _export(tmp_path / name, "two")
    support.assert_complete(tmp_path / name)
    assert _names(tmp_path) == [name]


def test_a_dangling_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    _export(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    support.assert_complete(tmp_path / "elsewhere")


AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.pipeline.small_exports import export
from tfexport.errors import OutputError
folder, NOBODY = Path(sys.argv[1]), 65534
def _export(target, content="one"):
    export(target, "model.onnx", "onnx/part.onnx", content=content)
_export(folder / "of-root")
for name, mode in {"closed": 0, "drop": 0o733, "sticky": 0o1777, "read-only": 0o755}.items():
    (folder / name).mkdir()
    _export(folder / name / "of-root")
    (folder / name).chmod(mode)
(folder / "sticky" / "of-root").chmod(0o777)
_export(folder / "read-only" / "own")
for path in (folder / "read-only" / "own").rglob("*"):
    os.chown(path, NOBODY, NOBODY)
os.chown(folder / "read-only" / "own", NOBODY, NOBODY)
(folder / "unlisted").mkdir(mode=0o333)
os.chown(folder / "unlisted", NOBODY, NOBODY)
os.setgid(NOBODY)
os.setuid(NOBODY)
for name in ("of-root", "closed/out", "drop/out", "sticky/of-root", "sticky/out", "read-only/out", "read-only/own", "unlisted"):
    try:
        _export(folder / name, "two")
        print(name, "done")
    except OutputError as error:
        print(name, str(error).replace(str(folder), "")[:90])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_another_user_may_not_do() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are closed to other users
        folder = Path(name)
        folder.chmod(0o777)
        ran = support.python(AS_NOBODY, folder)
        left = [str(path) for path in folder.rglob("*.tfexport-*")]
        own = support.assert_complete(folder / "read-only" / "own")
        support.assert_complete(folder / "drop" / "out")
    said = dict(line.split(" ", 1) for line in ran.out.splitlines())
    assert ran.code == 0, ran.err
    refused = {name for name, text in said.items() if text != "done"}
    assert refused == {"of-root", "closed/out", "sticky/of-root", "read-only/out", "unlisted"}, said
    assert "you may not remove files from it" in said["of-root"]
    assert "you may not remove files from it" in said["sticky/of-root"]
    assert "you may not write in" in said["read-only/out"]
    assert "protected" in own["caveats"][1]
    assert left == []
