"""Documents (JSON, TOML) with a wrong value at one place."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Place = tuple[str | int, ...]

ODD: Mapping[str, Any] = {
    "null": None,
    "true": True,
    "a text": "odd",
    "an empty text": "",
    "a text of escapes": "\x1b[2J\u202e\x07",
    "zero": 0,
    "a negative number": -7,
    "a fraction": 0.5,
    "2^70": 2**70,
    "10^12": 10**12,
    "an empty list": [],
    "a list": [[], {"a": None}],
    "an empty object": {},
    "an object": {"odd": [1]},
}
"""Values of every type of JSON, with a name."""
DEEP = 100_000


def nested(depth: int = DEEP) -> str:
    """Return JSON that is nested deeply."""
    return "[" * depth + "]" * depth


BROKEN: Mapping[str, str | bytes] = {
    "not JSON": "{",
    "nested deeply": nested(),
    "opened 100 000 times": "[" * DEEP,
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "not UTF-8": b"\xff\xfe",
}
"""Contents that are not a JSON object, with a name."""


def other_bytes(content: bytes, seed: int) -> bytes:
    """Return a file's content with some random bytes in place of its own: one more than the seed."""
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in random.integers(0, len(changed), seed + 1):
        changed[place] = int(random.integers(0, 256))
    return bytes(changed)


def places(document: Any, *, most_items: int = 1) -> Iterator[Place]:
    """Yield the place of every value in a document, the top included.

    Args:
        document: The document.
        most_items: Items of each list that are walked through: the items of a list have the same form.
    """
    yield ()
    if isinstance(document, dict):
        inner: Iterator[tuple[str | int, Any]] = iter(document.items())
    elif isinstance(document, list):
        inner = iter(enumerate(document[:most_items]))
    else:
        return
    for key, value in inner:
        for place in places(value, most_items=most_items):
            yield (key, *place)


def replaced(document: Any, place: Place, value: Any) -> Any:
    """Return a document with another value at a place."""
    if not place:
        return value
    made = copy.deepcopy(document)
    container = made
    for key in place[:-1]:
        container = container[key]
    container[place[-1]] = value
    return made


def without(document: Any, place: Place) -> Any:
    """Return a document without the value at a place."""
    made = copy.deepcopy(document)
    container = made
    for key in place[:-1]:
        container = container[key]
    del container[place[-1]]
    return made


def odd_documents(document: Any, *, per_place: int, most_items: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield documents with an odd value at every place, each with a name.

    Args:
        document: The sound document.
        per_place: Number of odd values at each place. Each place gets others, so that each value is at many places.
        most_items: Items of each list that are walked through.
    """
    names = list(ODD)
    for place in places(document, most_items=most_items):
        start = zlib.crc32(named(place).encode())
        chosen = dict.fromkeys(names[(start + 5 * number) % len(names)] for number in range(per_place))
        for name in chosen:
            if type(ODD[name]) is not type(_at(document, place)) or ODD[name] != _at(document, place):
                yield f"{named(place)} is {name}", replaced(document, place, ODD[name])
        if place:
            yield f"{named(place)} is missing", without(document, place)


def named(place: Sequence[str | int]) -> str:
    """Return the name of a place."""
    return "/".join(map(str, place)) or "the top"


def edit(file: Path, **values: Any) -> None:
    """Set values at the top of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def _at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document
