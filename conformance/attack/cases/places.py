"""Sources by name: names that no file system takes, devices, links, files that may not be read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.attack.case import ROOT, Area, Case
from conformance.attack.commands import NOBODY, Command, Limits, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("places")
_SOON = Limits(seconds=30)
_NEEDS_ROOT = frozenset({ROOT})
_ESCAPES = "x\x1b]0;title\x07\x1b[2J"

_NAMES: dict[str, str] = {
    "a path of 5000 letters": "./" + "a" * 5000,
    "a hub id of 5000 letters": "a" * 5000,
    "a name of 300 letters in a folder": "folder/" + "n" * 300,
    "a hub id with a line feed": "a\n b",
    "an empty name": "",
    "the home of a user who does not exist": "~nobody-of-that-name/model",
    "/dev/null": "/dev/null",
    "/dev/zero": "/dev/zero",
    "/dev/stdin": "/dev/stdin",
    "/proc/self/mem": "/proc/self/mem",
    "the root folder": "/",
    "/proc": "/proc",
    "an option in place of a name": "--trust",
    "a URL": "https://example.invalid/model",
    "a file URL": "file:///etc/passwd",
    "three slashes of a hub id": "a/b/c/d",
    "a name of Windows": "C:\\models\\bert",
    "a name with a percent sign": "100%s%n",
    "rich markup": "[bold]model[/bold] [/]",
    "escape sequences": _ESCAPES,
    "a hub id of other letters": "модель/模型",
}
_FILES: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a FIFO called model.keras": os.mkfifo,
    "a FIFO called model.h5": os.mkfifo,
    "a FIFO called model.onnx": os.mkfifo,
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "a text file": lambda path: path.write_text("hello"),
    "Python called model.h5": lambda path: path.write_text("import os"),
    "Python called model.keras": lambda path: path.write_text("import os"),
    "an empty folder": lambda path: path.mkdir(),
    "an empty folder called model.keras": lambda path: path.mkdir(),
    "an empty folder called model.h5": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to /dev/zero called model.keras": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/zero called model.h5": lambda path: path.symlink_to("/dev/zero"),
    "a file of no bytes called model.onnx": lambda path: path.touch(),
}
_SOUND: dict[str, str] = {
    "letters of others, blanks, emoji, quotes": "Модель 模型 📦 'x\" [a-z]*",
    "escape sequences, a sound checkpoint": _ESCAPES,
    "rich markup, a sound checkpoint": "[bold]x[/bold]",
    "a name that begins with a hyphen": "-rf",
    "a name of 250 letters": "n" * 250,
}
_QUICK = ("a path of 5000 letters", "/dev/null", "the home of a user who does not exist", "a FIFO called model.keras")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, source in _NAMES.items():
        yield AREA.case(name, _named(source), quick=name in _QUICK)
    for name, make in _FILES.items():
        yield AREA.case(name, _file(name, make), quick=name in _QUICK)
    for name, folder in _SOUND.items():
        yield AREA.case(name, _sound(folder), expect=Expectation.EXPORTED)
    yield AREA.case(
        "a name that is not UTF-8, a sound checkpoint", _not_utf8(""), expect=Expectation.EXPORTED, quick=True
    )
    yield AREA.case("a name that is not UTF-8, a spoiled checkpoint", _not_utf8("["), quick=True)
    yield AREA.case("escape sequences, a spoiled checkpoint", _escapes, quick=True)
    yield AREA.case("a link to a sound checkpoint", _linked, expect=Expectation.EXPORTED)
    yield AREA.case("a cache of links, as of the hub", _cache, expect=Expectation.EXPORTED, quick=True)
    yield AREA.case("a path below a file", _below_file)
    for name, (change, expect) in _MODES.items():
        yield AREA.case(
            name, _as_nobody(change), expect=expect, requires=_NEEDS_ROOT, has_target=expect is Expectation.REFUSED
        )


def _export(sandbox: Sandbox, source: object) -> Command:
    return tfexport("export", f"--model={source}", sandbox.out, limits=_SOON)


def _named(source: str) -> Callable[[Sandbox], Command]:
    return lambda sandbox: _export(sandbox, source)


def _file(name: str, make: Callable[[Path], object]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        path = sandbox.input / (name.rpartition(" called ")[2] if " called " in name else "model")
        make(path)
        return _export(sandbox, path)

    return prepare


def _sound(folder: str) -> Callable[[Sandbox], Command]:
    return lambda sandbox: _export(sandbox, sandbox.copy("bert-pt", folder))


def _not_utf8(config: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        model = sandbox.copy("bert-pt")
        if config:
            (model / "config.json").write_text(config)
        return _export(sandbox, model.rename(model.with_name(os.fsdecode(b"caf\xe9"))))

    return prepare


def _escapes(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt", _ESCAPES)
    (model / "config.json").write_text("[")
    return _export(sandbox, model)


def _linked(sandbox: Sandbox) -> Command:
    link = sandbox.input / "link"
    link.symlink_to(sandbox.copy("bert-pt"))
    return _export(sandbox, link)


def _cache(sandbox: Sandbox) -> Command:
    """Lay a checkpoint out as the hub's cache does: the files are links into a folder of blobs."""
    model = sandbox.copy("bert-pt")
    root = sandbox.input / "models--someone--bert"
    snapshot, blobs = root / "snapshots" / ("0" * 40), root / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, file in enumerate(sorted(model.iterdir())):
        file.rename(blobs / f"{number:040x}")
        (snapshot / file.name).symlink_to(f"../../blobs/{number:040x}")
    return _export(sandbox, snapshot)


def _below_file(sandbox: Sandbox) -> Command:
    return _export(sandbox, sandbox.copy("bert-pt") / "config.json" / "model")


def _as_nobody(change: Callable[[Path], object]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        sandbox.open_to_others()
        model = sandbox.copy("bert-pt")
        change(model)
        arguments = ("export", f"--model={model}", sandbox.out)
        return tfexport(*arguments, user=NOBODY, environment={"HOME": "/nonexistent"}, limits=_SOON)

    return prepare


def _read_only(model: Path) -> None:
    for file in (*model.iterdir(), model):
        file.chmod(0o555 if file.is_dir() else 0o444)


_MODES: dict[str, tuple[Callable[[Path], object], Expectation]] = {
    "a read-only checkpoint of another user": (_read_only, Expectation.EXPORTED),
    "weights that may not be read": (lambda model: (model / "model.safetensors").chmod(0), Expectation.REFUSED),
    "a config.json that may not be read": (lambda model: (model / "config.json").chmod(0), Expectation.REFUSED),
    "a folder that may not be searched": (lambda model: model.chmod(0), Expectation.REFUSED),
    "a folder that may not be listed": (lambda model: model.chmod(0o111), Expectation.SAFE),
    "a folder that may be listed and not searched": (lambda model: model.chmod(0o444), Expectation.REFUSED),
    "a tokenizer that may not be read": (lambda model: (model / "tokenizer.json").chmod(0), Expectation.SAFE),
}
