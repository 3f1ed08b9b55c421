"""Pickles: code in weight files and beside them."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.cases.safetensors_files import WORD
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("pickles", "bert-bin")
_FILE = "pytorch_model.bin"
_BESIDE = ("training_args.bin", "optimizer.pt", "tokenizer.pkl", "vocab.pkl", "scheduler.pt", "rng_state.pth")


class _Runs:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def _system(canary: Path) -> _Runs:
    return _Runs(os.system, f"touch '{canary}'")


_CALLS: dict[str, Callable[[Path], _Runs]] = {
    "os.system": _system,
    "exec": lambda canary: _Runs(exec, f"open({str(canary)!r}, 'w').close()"),
    "eval": lambda canary: _Runs(eval, f"open({str(canary)!r}, 'w').close()"),
    "open": lambda canary: _Runs(open, str(canary), "w"),
    "os.mkdir": lambda canary: _Runs(os.mkdir, str(canary)),
    "a pickle in a pickle": lambda canary: _Runs(pickle.loads, pickle.dumps(_system(canary))),
}


def _plain(file: Path, content: Any) -> None:
    file.write_bytes(pickle.dumps(content))


def _zipped(file: Path, content: Any) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(content))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


_FORMS = {"a plain pickle": _plain, "a zipped pickle": _zipped}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for form, write in _FORMS.items():
        for call, made in _CALLS.items():
            for framework in ("pt", "tf"):
                yield AREA.change(
                    f"{form} calls {call}, framework {framework}",
                    lambda model, sandbox, write=write, made=made: write(model / _FILE, {WORD: made(sandbox.canary)}),
                    options=("--framework", framework),
                    quick=call == "os.system",
                )
        yield AREA.change(f"{form} with code in a shard", _in_shard(write), quick=form == "a zipped pickle")
        yield AREA.change(f"{form} of no mapping", lambda model, _, write=write: write(model / _FILE, [1, 2]))
        yield AREA.change(f"{form} of texts", lambda model, _, write=write: write(model / _FILE, {WORD: "text"}))
    yield AREA.change("pickles with code beside the weights", _beside, seed="bert-pt", expect=Expectation.EXPORTED)
    yield AREA.change("a file of no bytes", lambda model, _: (model / _FILE).write_bytes(b""))
    yield AREA.change("a file that is cut in half", lambda model, _: _cut(model / _FILE))
    yield AREA.change("a FIFO", _fifo)
    yield AREA.change("a zip archive without a pickle", lambda model, _: zipfile.ZipFile(model / _FILE, "w").close())


def _in_shard(write: Callable[[Path, Any], None]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        (model / _FILE).unlink()
        shard = "pytorch_model-00001-of-00001.bin"
        write(model / shard, {WORD: _system(sandbox.canary)})
        (model / f"{_FILE}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {WORD: shard}}))

    return spoil


def _beside(model: Path, sandbox: Sandbox) -> None:
    for name in _BESIDE:
        _plain(model / name, _system(sandbox.canary))


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _fifo(model: Path, sandbox: Sandbox) -> None:
    (model / _FILE).unlink()
    os.mkfifo(model / _FILE)
