"""Safetensors: headers that lie, sizes that do not fit, values that are not finite, links."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conformance.attack.case import Area, Case
from conformance.attack.documents import nested
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("safetensors")
WORD = "embeddings.word_embeddings.weight"
_FILE = "model.safetensors"
Header = dict[str, Any]
Changed = tuple[Header | str, bytes] | tuple[Header | str, bytes, int]


def read(file: Path) -> tuple[Header, bytes]:
    """Return the header and the data of a safetensors file."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header: Header = json.loads(content[8 : 8 + length])
    return header, content[8 + length :]


def write(file: Path, header: Header | str, data: bytes, length: int | None = None) -> None:
    """Write a safetensors file; `length` is what its first bytes say of the header."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def _word(header: Header, **values: Any) -> Header:
    return {**header, WORD: {**header[WORD], **values}}


_HEADERS: dict[str, Callable[[Header, bytes], Changed]] = {
    "the data is cut": lambda h, d: (h, d[:100]),
    "no data": lambda h, d: (h, b""),
    "data after the last tensor": lambda h, d: (h, d + bytes(64)),
    "a header of 2^62 bytes is promised": lambda h, d: (h, d, 2**62),
    "a header of 2^64 - 1 bytes is promised": lambda h, d: (h, d, 2**64 - 1),
    "a header of no bytes is promised": lambda h, d: (h, d, 0),
    "a header that is not JSON": lambda h, d: ("{" * 800, d),
    "a header that is a list": lambda h, d: ("[]", d),
    "a header that is nested deeply": lambda h, d: ('{"a":' + nested() + "}", d),
    "a negative offset": lambda h, d: (_word(h, data_offsets=[-8, 8184]), d),
    "offsets in the other order": lambda h, d: (_word(h, data_offsets=h[WORD]["data_offsets"][::-1]), d),
    "one offset": lambda h, d: (_word(h, data_offsets=[0]), d),
    "offsets that are texts": lambda h, d: (_word(h, data_offsets=["0", "8"]), d),
    "offsets beyond the file": lambda h, d: (_word(h, data_offsets=[2**50, 2**50 + 8192]), d),
    "two tensors at one place": lambda h, d: ({**h, "other": h[WORD]}, d),
    "a dtype of another size": lambda h, d: (_word(h, dtype="F64"), d),
    "a dtype that does not exist": lambda h, d: (_word(h, dtype="F128"), d),
    "a dtype that is a number": lambda h, d: (_word(h, dtype=5), d),
    "a shape of 2^80 elements": lambda h, d: (_word(h, shape=[2**40, 2**40]), d),
    "a negative shape": lambda h, d: (_word(h, shape=[-64, -32]), d),
    "a shape of fractions": lambda h, d: (_word(h, shape=[0.5, 64]), d),
    "a shape that is null": lambda h, d: (_word(h, shape=None), d),
    "metadata that is not text": lambda h, d: ({**h, "__metadata__": {"format": 5}}, d),
    "metadata that is a list": lambda h, d: ({**h, "__metadata__": ["pt"]}, d),
    "a format of escape sequences": lambda h, d: ({**h, "__metadata__": {"format": "odd\x1b[31m"}}, d),
    "a tensor whose name is 100 000 letters": lambda h, d: ({**h, "n" * 100_000: {**h[WORD], "dtype": "F128"}}, d),
}
_SAFE: dict[str, Callable[[Header, bytes], Changed]] = {
    "a header of 90 MB of blanks": lambda h, d: (json.dumps(h) + " " * 90_000_000, d),
    "one name twice": lambda h, d: (json.dumps(h)[:-1] + f', "{WORD}": {json.dumps(h[WORD])}}}', d),
    "a tensor of escape sequences": lambda h, d: (
        {**h, "odd\x1b[2J": {"dtype": "F32", "shape": [1], "data_offsets": [len(d), len(d) + 4]}},
        d + bytes(4),
    ),
}
_QUICK = ("a header of 2^62 bytes is promised", "a shape of 2^80 elements", "a header that is nested deeply")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, change in _HEADERS.items():
        yield AREA.change(name, _header(change), quick=name in _QUICK)
    for name, change in _SAFE.items():
        yield AREA.change(name, _header(change), expect=Expectation.SAFE)
    yield AREA.change("no tensors", _header(lambda h, d: ({"__metadata__": {"format": "pt"}}, b"")), says=("lacks",))
    for name, (values, expect) in _VALUES.items():
        yield AREA.change(name, _weight(values), expect=expect)
    for name, link in _LINKS.items():
        yield AREA.change(name, _linked(link))
    yield AREA.change("a file of no bytes", lambda model, _: (model / _FILE).write_bytes(b""))
    yield AREA.change("a file of seven bytes", lambda model, _: (model / _FILE).write_bytes(bytes(7)))
    yield AREA.change("a sparse file of 1 TiB", lambda model, _: _sparse(model / _FILE), quick=True)


def _header(change: Callable[[Header, bytes], Changed]) -> Callable[[Path, Sandbox], None]:
    return lambda model, _: write(model / _FILE, *change(*read(model / _FILE)))


def _set(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[:, 0] = value
        return array

    return change


_DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8", "float64": "F64", "bool": "BOOL"}
_VALUES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Expectation]] = {
    "NaN among the weights": (_set(np.nan), Expectation.REJECTED),
    "infinity among the weights": (_set(np.inf), Expectation.REJECTED),
    "a weight in float16": (lambda a: a.astype(np.float16), Expectation.EXPORTED),
    "a weight in float64": (lambda a: a.astype(np.float64), Expectation.SAFE),
    "a weight in int8": (lambda a: (a * 100).astype(np.int8), Expectation.SAFE),
    "a weight of truth values": (lambda a: a > 0, Expectation.SAFE),
    "a weight of no rows": (lambda a: a[:0], Expectation.REFUSED),
    "a weight of another shape": (lambda a: a[:, :16].copy(), Expectation.REFUSED),
    "a weight of another rank": (lambda a: a.ravel(), Expectation.REFUSED),
}


def _weight(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Sandbox], None]:
    """Return what replaces the word embeddings, which become the last tensor of the file."""

    def spoil(model: Path, sandbox: Sandbox) -> None:
        header, data = read(model / _FILE)
        begin, end = header[WORD]["data_offsets"]
        array = change(np.frombuffer(data[begin:end], np.float32).reshape(header[WORD]["shape"]).copy())
        made: Header = {"__metadata__": {"format": "pt"}}
        packed = b""
        for name, entry in header.items():
            if name not in ("__metadata__", WORD):
                lower, upper = entry["data_offsets"]
                made[name] = {**entry, "data_offsets": [len(packed), len(packed) + upper - lower]}
                packed += data[lower:upper]
        content = array.tobytes()
        offsets = [len(packed), len(packed) + len(content)]
        made[WORD] = {"dtype": _DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": offsets}
        write(model / _FILE, made, packed + content)

    return spoil


_LINKS: dict[str, Callable[[Sandbox], Path | str]] = {
    "a link to a file of the system": lambda _: "/etc/passwd",
    "a link to a secret": lambda sandbox: sandbox.secret(),
    "a link to itself": lambda _: _FILE,
    "a link to nothing": lambda _: "nowhere",
    "a link to a device": lambda _: "/dev/zero",
    "a link to a folder": lambda sandbox: sandbox.cwd,
}


def _linked(target: Callable[[Sandbox], Path | str]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        (model / _FILE).unlink()
        (model / _FILE).symlink_to(target(sandbox))

    return spoil


def _sparse(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(2**40)
