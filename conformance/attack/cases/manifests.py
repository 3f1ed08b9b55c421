"""Exports under ``validate`` and ``benchmark``: manifests with a wrong value at every place, and lists that lie."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.cases.onnx_files import endless
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.documents import BROKEN, odd_documents
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox, replace

AREA = Area("manifests")
_MANIFEST = "tfexport.json"
_SOON = Limits(seconds=90)
_MEASURED = (
    "--launches",
    "1",
    "--time-limit",
    "1",
    "--engines",
    "ort",
    "--batch-sizes",
    "1",
    "--sequence-lengths",
    "8",
)
Manifest = dict[str, Any]


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, text in _TEXTS.items():
        yield AREA.case(f"the manifest is {name}", _validate("export-bert-pt", text=text), quick=name in _QUICK)
        yield AREA.case(f"the manifest is {name}, benchmark", _benchmark("export-bert-pt", text=text))
    for name, change in _CHANGES.items():
        yield AREA.case(
            name,
            _validate("export-bert-pt", change=change),
            expect=Expectation.REPORTED,
            quick=name in _QUICK,
        )
    for name, make in _ON_DISK.items():
        yield AREA.case(name, _validate("export-bert-pt", make=make), expect=Expectation.REPORTED, quick=name in _QUICK)


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    sound = json.loads((seeds / "export-dense-keras3" / _MANIFEST).read_text())
    for name, document in odd_documents(sound, per_place=1):
        text = json.dumps(document)
        yield AREA.case(
            f"of a Keras file, {name}",
            _validate("export-dense-keras3", text=text),
            expect=Expectation.REPORTED,
        )
    sound = json.loads((seeds / "export-bert-pt" / _MANIFEST).read_text())
    for name, document in odd_documents(sound, per_place=1):
        text = json.dumps(document)
        yield AREA.case(
            name,
            _validate("export-bert-pt", text=text),
            expect=Expectation.REPORTED,
        )
    for name, document in odd_documents({key: sound[key] for key in _MEASURED_PARTS}, per_place=2):
        text = json.dumps({**sound, **document} if isinstance(document, dict) else document)
        yield AREA.case(f"{name}, benchmark", _benchmark("export-bert-pt", text=text), expect=Expectation.REPORTED)


_MEASURED_PARTS = ("schema_version", "source", "framework", "feature", "graphs", "files", "validated")
_TEXTS: dict[str, str | bytes] = {
    "empty": "",
    **BROKEN,
    "of a later version": '{"schema_version": 999}',
}
_QUICK = (
    "nested deeply",
    "files that are outside",
    "a sparse file of 1 TiB is listed",
    "a source of escape sequences",
    "the source is trusted by the manifest",
    "the manifest is a FIFO",
    "graphs that are a number",
    "a size of a file that is a text",
)


def _files(manifest: Manifest, sandbox: Sandbox, *names: str) -> None:
    manifest["files"] |= {name: {"bytes": 5, "sha256": "0" * 64} for name in names}


_CHANGES: dict[str, Callable[[Manifest, Sandbox], object]] = {
    "files that are outside": lambda manifest, sandbox: _files(
        manifest, sandbox, "../../../../etc/passwd", "/etc/passwd", "../secret.bin", str(sandbox.secret())
    ),
    "files of no name": lambda manifest, sandbox: _files(manifest, sandbox, "", ".", "..", "\x00"),
    "files of escape sequences": lambda manifest, sandbox: _files(manifest, sandbox, "\x1b]0;t\x07", "\u202egpj.exe"),
    "a file whose name has 100 000 letters": lambda manifest, sandbox: _files(manifest, sandbox, "n" * 100_000),
    "100 000 files": lambda manifest, sandbox: _files(manifest, sandbox, *map(str, range(100_000))),
    "a graph that is outside": lambda manifest, sandbox: manifest["graphs"].update(
        {"../other.onnx": manifest["graphs"]["model.onnx"]}
    ),
    "a graph that is not there": lambda manifest, sandbox: manifest["graphs"].update(
        {"other.onnx": manifest["graphs"]["model.onnx"]}
    ),
    "graphs that are a number": lambda manifest, sandbox: manifest.update(graphs=0.5),
    "a graph that is a list": lambda manifest, sandbox: manifest["graphs"].update({"model.onnx": [1]}),
    "files that are a list": lambda manifest, sandbox: manifest.update(files=["model.onnx"]),
    "a size of a file that is a text": lambda manifest, sandbox: manifest["files"]["model.onnx"].update(bytes="odd"),
    "a source that is a text": lambda manifest, sandbox: manifest.update(source="odd"),
    "no graphs": lambda manifest, sandbox: manifest.update(graphs={}),
    "a source that does not exist": lambda manifest, sandbox: manifest["source"].update(checkpoint="/nowhere"),
    "a source of escape sequences": lambda manifest, sandbox: manifest["source"].update(checkpoint="\x1b[2J/\x07"),
    "a source that is a device": lambda manifest, sandbox: manifest["source"].update(checkpoint="/dev/zero"),
    "a source of 100 000 letters": lambda manifest, sandbox: manifest["source"].update(checkpoint="m" * 100_000),
    "a source of another kind": lambda manifest, sandbox: manifest["source"].update(kind="odd"),
    "a source with other checksums": lambda manifest, sandbox: manifest["source"].update(
        sha256={"config.json": "0" * 64}
    ),
    "a source with checksums of files outside": lambda manifest, sandbox: manifest["source"].update(
        sha256={"../../../etc/passwd": "0" * 64, "/etc/passwd": "0" * 64}
    ),
    "the source is trusted by the manifest": lambda manifest, sandbox: manifest["source"].update(
        checkpoint=str(sandbox.copy("saved-model-write")), kind="saved_model", options={"trust": True}
    ),
    "a Lambda that is trusted by the manifest": lambda manifest, sandbox: manifest["source"].update(
        checkpoint=str(sandbox.copy("lambda-keras3.keras")), kind="keras", options={"trust": True}
    ),
    "tolerances that accept everything": lambda manifest, sandbox: manifest["validation"].update(
        atol=1e300, rtol=1e300
    ),
    "tolerances that are negative": lambda manifest, sandbox: manifest["validation"].update(atol=-1, rtol=-1),
    "an axis of 2^40": lambda manifest, sandbox: manifest["graphs"]["model.onnx"]["inputs"][0].update(
        shape=[2**40, 2**40]
    ),
    "a negative axis": lambda manifest, sandbox: manifest["graphs"]["model.onnx"]["inputs"][0].update(shape=[-1, "s"]),
    "a dtype that does not exist": lambda manifest, sandbox: manifest["graphs"]["model.onnx"]["inputs"][0].update(
        dtype="odd"
    ),
    "an input that the file lacks": lambda manifest, sandbox: manifest["graphs"]["model.onnx"]["inputs"][0].update(
        name="odd"
    ),
    "values_override of odd types": lambda manifest, sandbox: manifest.update(
        values_override={"use_cache": [[]], "odd": 5}
    ),
    "values_override of a private name": lambda manifest, sandbox: manifest.update(
        values_override={"__class__": "int"}
    ),
}


def _sparse(folder: Path, sandbox: Sandbox) -> None:
    with (folder / "large.bin").open("wb") as file:
        file.truncate(2**40)
    manifest = json.loads((folder / _MANIFEST).read_text())
    manifest["files"]["large.bin"] = {"bytes": 5, "sha256": "0" * 64}
    (folder / _MANIFEST).write_text(json.dumps(manifest))


def _instead(name: str, make: Callable[[Path], object]) -> Callable[[Path, Sandbox], object]:
    return lambda folder, _: replace(folder / name, make)


_ON_DISK: dict[str, Callable[[Path, Sandbox], object]] = {
    "a sparse file of 1 TiB is listed": _sparse,
    "the manifest is a FIFO": _instead(_MANIFEST, os.mkfifo),
    "the manifest is a link to a device": _instead(_MANIFEST, lambda file: file.symlink_to("/dev/zero")),
    "the manifest is a folder": _instead(_MANIFEST, Path.mkdir),
    "the model is a FIFO": _instead("model.onnx", os.mkfifo),
    "the model is a link to a device": _instead("model.onnx", lambda file: file.symlink_to("/dev/zero")),
    "the model is a link to itself": _instead("model.onnx", lambda file: file.symlink_to("model.onnx")),
    "the model is a folder": _instead("model.onnx", Path.mkdir),
    "the model is missing": _instead("model.onnx", lambda file: None),
    "the model is empty": _instead("model.onnx", Path.touch),
    "the model is an endless Loop": lambda folder, _: endless(folder / "model.onnx"),
    "a tokenizer file is a FIFO": _instead("tokenizer.json", os.mkfifo),
}


def _export(
    sandbox: Sandbox,
    seed: str,
    text: str | bytes | None,
    change: Callable[[Manifest, Sandbox], object] | None,
    make: Callable[[Path, Sandbox], object] | None,
) -> Path:
    folder = sandbox.copy(seed)
    if change is not None:
        manifest = json.loads((folder / _MANIFEST).read_text())
        change(manifest, sandbox)
        text = json.dumps(manifest)
    if text is not None:
        (folder / _MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    if make is not None:
        make(folder, sandbox)
    return folder


def _validate(
    seed: str,
    *,
    text: str | bytes | None = None,
    change: Callable[[Manifest, Sandbox], object] | None = None,
    make: Callable[[Path, Sandbox], object] | None = None,
) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        return tfexport("validate", _export(sandbox, seed, text, change, make), limits=_SOON)

    return prepare


def _benchmark(seed: str, *, text: str | bytes) -> Callable[[Sandbox], Command]:
    return lambda sandbox: tfexport(
        "benchmark", "run", _export(sandbox, seed, text, None, None), *_MEASURED, limits=_SOON
    )
