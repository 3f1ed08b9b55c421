"""Targets of an export: what is there already, names, permissions, leftovers of other processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.attack.case import ROOT, Area, Case
from conformance.attack.commands import NOBODY, Command, Limits, tfexport
from conformance.attack.documents import nested
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox, replace, snapshot

AREA = Area("targets")
_SOON = Limits(seconds=45)
_NEEDS_ROOT = frozenset({ROOT})
_MINE = "of the user"
_MANIFEST = "tfexport.json"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, (make, expect) in _THERE.items():
        yield AREA.case(name, _there(make), expect=expect, has_target=False, quick=name in _QUICK)
    for name, target in _NAMES.items():
        yield AREA.case(name, _named(target), quick=name in _QUICK)
    for manifest, text in _MANIFESTS.items():
        yield AREA.case(f"a manifest that is {manifest}, a file of the user beside it", _manifest(text))
    yield AREA.case("inside the checkpoint", _inside, expect=Expectation.EXPORTED, has_target=False)
    yield AREA.case("the checkpoint itself", _itself)
    yield AREA.case("the folder above the checkpoint", _above)
    yield AREA.case("an export that is its own source", _own_source)
    yield AREA.case("an empty name", _empty, expect=Expectation.SAFE)
    yield AREA.case("a name of 240 letters", _long, expect=Expectation.EXPORTED, has_target=False, quick=True)
    yield AREA.case("a name that is not UTF-8", _not_utf8, expect=Expectation.SAFE, has_target=False, quick=True)
    yield AREA.case("50 000 files of the user", _many)
    for name, (prepare, expect) in _PERMISSIONS.items():
        yield AREA.case(
            name, prepare, expect=expect, requires=_NEEDS_ROOT, has_target=expect is not Expectation.EXPORTED
        )
    for name, stale in _NOT_STALE.items():
        yield AREA.case(
            f"beside it, {name} is kept",
            _beside(stale),
            expect=Expectation.EXPORTED,
            check=_is_kept(stale),
            quick=name in _QUICK,
            has_target=False,
        )


def _export(sandbox: Sandbox, target: object, model: Path | None = None) -> Command:
    return tfexport("export", f"--model={model or sandbox.copy('bert-pt')}", target, limits=_SOON)


def _there(make: Callable[[Sandbox], object]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        make(sandbox)
        return _export(sandbox, sandbox.out)

    return prepare


def _earlier_with(make: Callable[[Path, Sandbox], object]) -> Callable[[Sandbox], object]:
    return lambda sandbox: make(sandbox.earlier_export(), sandbox)


def _mine(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text(_MINE)


def _foreign_link(sandbox: Sandbox) -> None:
    _mine(sandbox.folder / "mine")
    sandbox.out.symlink_to(sandbox.folder / "mine")


def _linked_export(sandbox: Sandbox) -> None:
    sandbox.earlier_export().rename(sandbox.folder / "elsewhere")
    sandbox.out.symlink_to("elsewhere")


_THERE: dict[str, tuple[Callable[[Sandbox], object], Expectation]] = {
    "nothing": (lambda sandbox: None, Expectation.EXPORTED),
    "an empty folder": (lambda sandbox: sandbox.out.mkdir(), Expectation.EXPORTED),
    "an earlier export": (lambda sandbox: sandbox.earlier_export(), Expectation.EXPORTED),
    "a file": (lambda sandbox: sandbox.out.write_text(_MINE), Expectation.REFUSED),
    "a FIFO": (lambda sandbox: os.mkfifo(sandbox.out), Expectation.REFUSED),
    "a folder with a file of the user": (lambda sandbox: _mine(sandbox.out), Expectation.REFUSED),
    "a folder with an empty folder of the user": (
        lambda sandbox: (sandbox.out / "a").mkdir(parents=True),
        Expectation.REFUSED,
    ),
    "an earlier export with a file of the user": (
        _earlier_with(lambda out, _: (out / "notes.txt").write_text(_MINE)),
        Expectation.REFUSED,
    ),
    "an earlier export with a folder of the user": (
        _earlier_with(lambda out, _: _mine(out / "notes")),
        Expectation.REFUSED,
    ),
    "an earlier export with an empty folder of the user": (
        _earlier_with(lambda out, _: (out / "mine").mkdir()),
        Expectation.REFUSED,
    ),
    "an earlier export with a link of the user to a folder": (
        _earlier_with(lambda out, sandbox: (out / "data").symlink_to(sandbox.cwd)),
        Expectation.REFUSED,
    ),
    "an earlier export with a link of the user to a file": (
        _earlier_with(lambda out, sandbox: (out / "data").symlink_to(sandbox.secret())),
        Expectation.REFUSED,
    ),
    "an earlier export with a link of the user to nothing": (
        _earlier_with(lambda out, _: (out / "data").symlink_to("nowhere")),
        Expectation.REFUSED,
    ),
    "an earlier export with a FIFO of the user": (
        _earlier_with(lambda out, _: os.mkfifo(out / "fifo")),
        Expectation.REFUSED,
    ),
    "an earlier export with a hidden file of the user": (
        _earlier_with(lambda out, _: (out / ".env").write_text(_MINE)),
        Expectation.REFUSED,
    ),
    "an earlier export whose file the user has replaced by a folder": (
        _earlier_with(lambda out, _: replace(out / "model.onnx", _mine)),
        Expectation.REFUSED,
    ),
    "an earlier export whose manifest is a FIFO": (
        _earlier_with(lambda out, _: replace(out / _MANIFEST, os.mkfifo)),
        Expectation.REFUSED,
    ),
    "an earlier export whose manifest is a link to a device": (
        _earlier_with(lambda out, _: replace(out / _MANIFEST, lambda file: file.symlink_to("/dev/zero"))),
        Expectation.REFUSED,
    ),
    "a link to an earlier export": (_linked_export, Expectation.EXPORTED),
    "a link to nothing": (lambda sandbox: sandbox.out.symlink_to("elsewhere"), Expectation.SAFE),
    "a link to itself": (lambda sandbox: sandbox.out.symlink_to("out"), Expectation.REFUSED),
    "a link to a folder of the user": (_foreign_link, Expectation.REFUSED),
    "a link to a file": (lambda sandbox: sandbox.out.symlink_to(sandbox.secret()), Expectation.REFUSED),
    "a link to /dev/null": (lambda sandbox: sandbox.out.symlink_to("/dev/null"), Expectation.REFUSED),
}
_NAMES: dict[str, str] = {
    "/": "/",
    "/dev/null": "/dev/null",
    "/proc/self": "/proc/self",
    "/dev/fd": "/dev/fd",
    "the home of a user who does not exist": "~nobody-of-that-name/out",
    "a name of 300 letters": "o" * 300,
    "a path of 5000 letters": "o/" * 2500,
    "a name that ends in .onnx": "model.onnx",
    "the folder above": "..",
    "two folders above": "../..",
}
_QUICK = (
    "/",
    "a name of 300 letters",
    "an earlier export with an empty folder of the user",
    "an earlier export with a link of the user to a folder",
    "an earlier export whose manifest is a FIFO",
    "a link to itself",
    "a folder of the user",
    "a folder of another machine",
)
_MANIFESTS = {
    "nested deeply": nested(),
    "a list": "[]",
    "empty": "",
    "of a number of files": '{"files": 5}',
    "of files that are null": '{"files": null}',
    "of names that lead outside": '{"files": {"../in/model/config.json": {"bytes": 1, "sha256": "x"}}}',
    "of an absolute name": '{"files": {"/etc/passwd": {"bytes": 1, "sha256": "x"}}}',
    "without files": '{"schema_version": 1}',
}


def _named(target: str) -> Callable[[Sandbox], Command]:
    return lambda sandbox: _export(sandbox, target)


def _manifest(text: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        _mine(sandbox.out)
        (sandbox.out / _MANIFEST).write_text(text)
        return _export(sandbox, sandbox.out)

    return prepare


def _inside(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt")
    sandbox.out.symlink_to(model / "onnx")
    return _export(sandbox, model / "onnx", model)


def _itself(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt")
    return _export(sandbox, model, model)


def _above(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt")
    return _export(sandbox, model.parent, model)


def _own_source(sandbox: Sandbox) -> Command:
    shutil.copytree(sandbox.seeds / "export-bert-pt", sandbox.out)
    return _export(sandbox, sandbox.out, sandbox.out)


def _empty(sandbox: Sandbox) -> Command:
    (sandbox.cwd / "mine").write_text(_MINE)
    return _export(sandbox, "")


def _long(sandbox: Sandbox) -> Command:
    sandbox.out.symlink_to("o" * 240)
    return _export(sandbox, sandbox.folder / ("o" * 240))


def _not_utf8(sandbox: Sandbox) -> Command:
    name = os.fsdecode(b"caf\xe9")
    sandbox.out.symlink_to(name)
    return _export(sandbox, sandbox.folder / name)


def _many(sandbox: Sandbox) -> Command:
    for number in range(50):
        (sandbox.out / str(number)).mkdir(parents=True)
        for file in range(1000):
            (sandbox.out / str(number) / str(file)).touch()
    return tfexport("export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=Limits(seconds=10))


def _as_nobody(folder: str, mode: int) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        sandbox.open_to_others()
        (sandbox.folder / folder).mkdir()
        (sandbox.folder / folder).chmod(mode)
        return tfexport(
            "export",
            f"--model={sandbox.copy('bert-pt')}",
            sandbox.folder / folder / "out",
            user=NOBODY,
            environment={"HOME": "/nonexistent"},
        )

    return prepare


def _of_another(sandbox: Sandbox) -> Command:
    sandbox.open_to_others()
    sandbox.earlier_export()
    arguments = ("export", f"--model={sandbox.copy('bert-pt')}", sandbox.out)
    return tfexport(*arguments, user=NOBODY, environment={"HOME": "/nonexistent"})


_PERMISSIONS: dict[str, tuple[Callable[[Sandbox], Command], Expectation]] = {
    "a folder in which the user may not write": (_as_nobody("closed", 0o755), Expectation.REFUSED),
    "a folder that the user may not search": (_as_nobody("closed", 0), Expectation.REFUSED),
    "a folder that the user may list only": (_as_nobody("closed", 0o744), Expectation.REFUSED),
    "a folder that the user may write to and not list": (_as_nobody("drop", 0o733), Expectation.ENDS),
    "an earlier export of another user": (_of_another, Expectation.SAFE),
}
_NOT_STALE = {
    "a folder of the user": ".out.tfexport-2024-backup-of-my-thesis",
    "a folder of another machine": ".out.tfexport-4194303-deadbeef",
    "a folder of a process that lives": f".out.tfexport-{os.getpid()}-deadbeef",
    "a process number of 30 digits": f".out.tfexport-{'9' * 30}-deadbeef",
    "a superscript as process number": ".out.tfexport-²-deadbeef",
    "a partial report of the user": ".tfexport-notes.partial",
}


def _beside(name: str) -> Callable[[Sandbox], Command]:
    """Return what puts a folder beside the target. It is part of the input: its name is like that of a leftover."""

    def prepare(sandbox: Sandbox) -> Command:
        parent = sandbox.input / "parent"
        _mine(parent / name)
        if name == _NOT_STALE["a folder of another machine"]:
            (parent / f"{name}.lock").write_text("elsewhere 00000000-0000-0000-0000-000000000000")
        sandbox.out.symlink_to(parent / "out")
        return _export(sandbox, parent / "out", sandbox.copy("bert-pt"))

    return prepare


def _is_kept(name: str) -> Callable[[Sandbox], list[str]]:
    def check(sandbox: Sandbox) -> list[str]:
        kept = snapshot(sandbox.input / "parent" / name)
        return [] if "thesis.tex" in kept else [f"{name} is gone"]

    return check
