"""Keras archives: damaged and hostile zip files, and a configuration with a wrong value at every place."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.commands import Limits
from conformance.attack.documents import BROKEN, odd_documents
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("keras archives", "dense-keras3.keras")
_SOON = Limits(seconds=60)
_CONFIG = "config.json"
_SEEDS = ("dense-keras3.keras", "dense-tf-keras.keras")
Entries = dict[str, bytes]


def entries_of(archive: Path) -> Entries:
    """Return the entries of an archive."""
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rewrite(archive: Path, **replaced: bytes | str) -> None:
    """Replace entries of an archive; ``config`` is ``config.json``, ``metadata`` is ``metadata.json``."""
    entries = entries_of(archive)
    entries |= {f"{name}.json": text.encode() if isinstance(text, str) else text for name, text in replaced.items()}
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in entries.items():
            written.writestr(name, content)


_TEXTS: dict[str, str | bytes] = {
    "no bytes": "",
    **BROKEN,
    "NaN": '{"module": "keras", "class_name": "Sequential", "config": NaN}',
    "an object without a class": '{"config": {}}',
}
_QUICK = (
    "config.json is nested deeply, dense-keras3.keras",
    "config.json unpacks to 6 GiB, dense-keras3.keras",
    "encrypted entries, dense-keras3.keras",
    "200 000 names, dense-keras3.keras",
    "a damaged entry, dense-keras3.keras",
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for seed in _SEEDS:
        area = Area(AREA.name, seed)
        for name, text in _TEXTS.items():
            named = f"config.json is {name}, {seed}"
            yield area.change(named, _config(text), limits=_SOON, quick=named in _QUICK)
            yield area.change(
                f"metadata.json is {name}, {seed}",
                lambda file, _, text=text: rewrite(file, metadata=text),
                expect=Expectation.SAFE,
                limits=_SOON,
            )
        for name, spoil in _ARCHIVES.items():
            named = f"{name}, {seed}"
            yield area.change(named, spoil, limits=_SOON, quick=named in _QUICK)
        for name, spoil in _SAFE.items():
            yield area.change(f"{name}, {seed}", spoil, expect=Expectation.SAFE, limits=_SOON)
        for name, change in _SIZES.items():
            yield area.change(f"{name}, {seed}", _edited(change), limits=_SOON, quick="units" in name)


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    for seed in _SEEDS:
        config = json.loads(entries_of(seeds / seed)[_CONFIG])
        for name, document in odd_documents(config, per_place=1, most_items=2):
            yield AREA.change(
                f"in config.json of {seed}, {name}",
                _config(json.dumps(document)),
                seed=seed,
                expect=Expectation.SAFE,
                limits=_SOON,
            )


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, Sandbox], None]:
    def spoil(file: Path, sandbox: Sandbox) -> None:
        config = json.loads(entries_of(file)[_CONFIG])
        change(config["config"])
        rewrite(file, config=json.dumps(config))

    return spoil


def _units(units: int) -> Callable[[dict[str, Any]], object]:
    return lambda config: next(e for e in config["layers"] if e["class_name"] == "Dense")["config"].update(units=units)


_SIZES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a layer of 500 million units": _units(500_000_000),
    "a layer of 10^12 units": _units(10**12),
    "a layer of 2^63 units": _units(2**63),
    "thousands of layers": lambda config: config.update(layers=config["layers"] * 3000),
}


def _config(text: str | bytes) -> Callable[[Path, Sandbox], None]:
    return lambda file, _: rewrite(file, config=text)


def _write(file: Path, entries: Entries, **options: Any) -> None:
    with zipfile.ZipFile(file, "w", **options) as written:
        for name, content in entries.items():
            written.writestr(name, content)


def _bomb(name: str, size: int) -> Callable[[Path, Sandbox], None]:
    """Return what replaces an entry by one that unpacks to a large size."""

    def spoil(file: Path, sandbox: Sandbox) -> None:
        entries = entries_of(file)
        entries.pop(name, None)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
            for each, content in entries.items():
                written.writestr(each, content)
            with written.open(name, "w", force_zip64=True) as entry:
                block = b" " * 2**24
                for _ in range(size // len(block)):
                    entry.write(block)

    return spoil


def _damaged(file: Path, sandbox: Sandbox) -> None:
    _write(file, entries_of(file), compression=zipfile.ZIP_DEFLATED)
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as opened:
        start = opened.getinfo(_CONFIG).header_offset + 60
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)


def _flagged(offset: int, value: int) -> Callable[[Path, Sandbox], None]:
    """Return what sets two bytes of the central directory of every entry."""

    def spoil(file: Path, sandbox: Sandbox) -> None:
        content = bytearray(file.read_bytes())
        place = content.find(b"PK\x01\x02")
        while place >= 0:
            content[place + offset : place + offset + 2] = value.to_bytes(2, "little")
            place = content.find(b"PK\x01\x02", place + 4)
        file.write_bytes(content)

    return spoil


def _names(file: Path, sandbox: Sandbox) -> None:
    entries = entries_of(file)
    with zipfile.ZipFile(file, "w") as written:
        for name, content in entries.items():
            written.writestr(name, content)
        for number in range(200_000):
            written.writestr(f"n{number}", b"")


def _added(name: str, content: bytes = b"x", mode: int = 0) -> Callable[[Path, Sandbox], None]:
    def spoil(file: Path, sandbox: Sandbox) -> None:
        with zipfile.ZipFile(file, "a") as archive:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)

    return spoil


def _twice(file: Path, sandbox: Sandbox) -> None:
    """Add a second configuration: readers of archives differ in which of two entries they take."""
    config = json.loads(entries_of(file)[_CONFIG])
    config["config"]["layers"][-1] = {
        "class_name": "Lambda",
        "config": {"function": "os.system"},
        "module": "keras.layers",
    }
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(_CONFIG), json.dumps(config))


def _without(name: str) -> Callable[[Path, Sandbox], None]:
    return lambda file, _: _write(file, {each: content for each, content in entries_of(file).items() if each != name})


_ARCHIVES: dict[str, Callable[[Path, Sandbox], object]] = {
    "a file of no bytes": lambda file, _: file.write_bytes(b""),
    "a file that is cut in half": lambda file, _: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a damaged entry": _damaged,
    "encrypted entries": _flagged(8, 1),
    "an unknown method of compression": _flagged(10, 99),
    "a version of zip that does not exist": _flagged(6, 255),
    "no config.json": _without(_CONFIG),
    "no weights": _without("model.weights.h5"),
    "config.json unpacks to 6 GiB": _bomb(_CONFIG, 6 * 2**30),
    "config.json is a folder": lambda file, sandbox: (
        _without(_CONFIG)(file, sandbox),
        _added(f"{_CONFIG}/")(file, sandbox),
    ),
    "an archive of tar": lambda file, _: file.write_bytes(b"ustar" * 200),
}
_SAFE: dict[str, Callable[[Path, Sandbox], object]] = {
    "200 000 names": _names,
    "metadata.json unpacks to 6 GiB": _bomb("metadata.json", 6 * 2**30),
    "an entry that unpacks to 6 GiB": _bomb("assets/large", 6 * 2**30),
    "the weights unpack to 6 GiB": _bomb("model.weights.h5", 6 * 2**30),
    "an entry with .. in its name": _added(f"../../{'CANARY'}"),
    "an entry with an absolute name": _added("/tmp/CANARY-of-an-archive"),
    "an entry that is a link": _added("assets/link", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "an entry of escape sequences": _added("assets/\x1b[2J"),
    "an entry of a long name": _added("assets/" + "n" * 60_000),
    "two configurations": _twice,
    "bytes before the archive": lambda file, _: file.write_bytes(b"#!/bin/sh\n" + file.read_bytes()),
    "bytes after the archive": lambda file, _: file.write_bytes(file.read_bytes() + bytes(1000)),
    "a comment of 60 000 bytes": lambda file, _: _commented(file),
    "an archive that is a link": lambda file, _: _moved(file),
}


def _commented(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"c" * 60_000


def _moved(file: Path) -> None:
    file.rename(file.with_name("other.zip"))
    file.symlink_to("other.zip")
