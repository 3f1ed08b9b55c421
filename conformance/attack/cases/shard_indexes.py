"""Shard indexes: names that lead outside, wrong types, missing shards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.cases.safetensors_files import WORD
from conformance.attack.documents import nested, odd_documents
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("shard indexes", "bert-shards")
_INDEX = "model.safetensors.index.json"
Index = dict[str, Any]

_NAMES = {
    "a shard with .. in its name": "../../../../../etc/passwd",
    "a shard with an absolute name": "/etc/passwd",
    "a shard with a backslash": "..\\x",
    "a shard of no name": "",
    "a shard that is the folder": ".",
    "a shard with a null character": "a\x00b",
    "a shard of escape sequences": "\x1b[2J",
    "a shard whose name has 5000 letters": "s" * 5000,
    "a shard of another type of file": "config.json",
}
_ON_DISK: dict[str, Callable[[Path, Sandbox], object]] = {
    "a shard is missing": lambda shard, _: None,
    "a shard is a folder": lambda shard, _: shard.mkdir(),
    "a shard is a link out of the folder": lambda shard, sandbox: shard.symlink_to(sandbox.secret()),
    "a shard is a link to a device": lambda shard, _: shard.symlink_to("/dev/zero"),
    "a shard is empty": lambda shard, _: shard.touch(),
}
_TEXTS = {
    "an index that is nested deeply": nested(),
    "an index that opens 100 000 lists": "[" * 100_000,
    "an index that is not JSON": "{",
    "an index of no bytes": "",
    "an index of NaN": '{"metadata": {"total_size": NaN}, "weight_map": {}}',
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, shard in _NAMES.items():
        yield AREA.change(name, _mapped({WORD: shard}), quick=".." in name or "absolute" in name)
    for name, make in _ON_DISK.items():
        yield AREA.change(name, _on_disk(make))
    for name, text in _TEXTS.items():
        yield AREA.change(name, lambda model, _, text=text: (model / _INDEX).write_text(text))
    yield AREA.change(
        "a tensor that no shard has",
        _mapped({"encoder.layer.9.other": "model-00001.safetensors"}),
        expect=Expectation.SAFE,
    )
    yield AREA.change("a tensor in another shard", _swapped, expect=Expectation.SAFE)


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    index = json.loads((seeds / "bert-shards" / _INDEX).read_text())
    short = {**index, "weight_map": {WORD: index["weight_map"][WORD]}}
    for name, document in odd_documents(short, per_place=6):
        text = json.dumps(document)
        yield AREA.change(
            f"in the index, {name}",
            lambda model, _, text=text: (model / _INDEX).write_text(text),
            expect=Expectation.SAFE,
        )


def _mapped(names: dict[str, str]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        index: Index = json.loads((model / _INDEX).read_text())
        index["weight_map"].update(names)
        (model / _INDEX).write_text(json.dumps(index))

    return spoil


def _on_disk(make: Callable[[Path, Sandbox], object]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        shard = model / json.loads((model / _INDEX).read_text())["weight_map"][WORD]
        shard.unlink()
        make(shard, sandbox)

    return spoil


def _swapped(model: Path, sandbox: Sandbox) -> None:
    index: Index = json.loads((model / _INDEX).read_text())
    _mapped({WORD: sorted(set(index["weight_map"].values()))[-1]})(model, sandbox)
