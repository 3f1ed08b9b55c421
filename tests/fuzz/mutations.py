"""Strategies of hypothesis for hostile documents and bytes, made from sound samples."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.attack.documents import ODD, nested, places, replaced, without

_NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from((2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63), 10**12, 10**30, 10**400)),
    st.floats(),
)
_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ("", "..", "/etc/passwd", "../../x", "\x1b[2J", "\x00", "\ud800", "n" * 5000, "=1+1", "NaN", "__class__")
    ),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_ODD = st.one_of(st.sampled_from(list(ODD.values())), _VALUES)
_MARK = "the place of a raw text"
_RAW = (nested(), "[" * 5000, "9" * 5000, "1e999", "NaN", "-Infinity", '"\\ud800"', "{", "", "\x00", '{"a":1,"a":2}')
"""Texts that `json.dumps` does not write."""


@st.composite
def documents(draw: st.DrawFn, samples: Sequence[Any]) -> Any:
    """Draw a document with up to three odd values in place of others."""
    document = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(document, most_items=3))))
        document = (
            without(document, place)
            if place and draw(st.integers(0, 4)) == 0
            else replaced(document, place, draw(_ODD))
        )
    return document


@st.composite
def json_bytes(draw: st.DrawFn, samples: Sequence[Any]) -> bytes:
    """Draw a JSON document with odd values, which may not be JSON at one place, or have other bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        sample = json.dumps(draw(st.sampled_from(samples))).encode()
        return draw(changed_bytes([sample]))
    if kind == 1:
        sample = draw(st.sampled_from(samples))
        place = draw(st.sampled_from(list(places(sample, most_items=3))))
        text = json.dumps(replaced(sample, place, _MARK))
        return text.replace(json.dumps(_MARK), draw(st.sampled_from(_RAW))).encode()
    return _dumped(draw(documents(samples)))


@st.composite
def changed_bytes(draw: st.DrawFn, samples: Sequence[bytes], *, within: int | None = None) -> bytes:
    """Draw bytes of which some are others: set, cut out, repeated, or put in.

    Args:
        draw: Function of hypothesis.
        samples: Sound contents.
        within: Number of first bytes that are changed; None for all.
    """
    content = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, min(len(content), within or len(content)) - 1)))
        kind = draw(st.sampled_from(("set", "bit", "number", "cut", "end", "insert", "repeat")))
        if kind == "set":
            content[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "bit" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            content[place : place + 8] = draw(st.sampled_from(_WORDS))
        elif kind == "cut":
            del content[place : place + draw(st.integers(1, 64))]
        elif kind == "end":
            del content[place:]
        elif kind == "insert":
            content[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "repeat":
            content[place:place] = content[place : place + 32] * draw(st.integers(1, 40))
    return bytes(content)


_WORDS = tuple(struct.pack("<Q", number) for number in (0, 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)) + (
    b"\xff" * 2,
    b"\0",
)


@st.composite
def safetensors(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """Draw a safetensors file with an odd header, an odd length of the header, or other bytes."""
    content = draw(st.sampled_from(samples))
    (length,) = struct.unpack("<Q", content[:8])
    if draw(st.integers(0, 3)) == 0:
        return draw(changed_bytes([content], within=8 + length))
    header = draw(json_bytes([json.loads(content[8 : 8 + length])]))
    promised = draw(st.sampled_from((len(header), len(header), len(header), 0, 2**62, len(header) + 7)))
    return struct.pack("<Q", promised) + header + content[8 + length :]


@st.composite
def toml_bytes(draw: st.DrawFn, samples: Sequence[dict[str, Any]]) -> bytes:
    """Draw a TOML document with odd values."""
    if draw(st.integers(0, 4)) == 0:
        return draw(changed_bytes([toml(sample).encode() for sample in samples]))
    document = draw(documents(samples))
    made = toml(document) if isinstance(document, dict) else f"x = {_inline(document)}"
    return made.encode("utf-8", "surrogatepass")


def toml(document: dict[str, Any]) -> str:
    """Return a document as TOML. What TOML does not have, null and odd names, is an error of its syntax, and as good."""
    targets = document.get("targets")
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets):
        return "".join(f"{name} = {_inline(value)}\n" for name, value in document.items())
    lines = [f"{name} = {_inline(value)}\n" for name, value in document.items() if name != "targets"]
    for target in targets:
        lines += ["[[targets]]\n", *(f"{name} = {_inline(value)}\n" for name, value in target.items())]
    return "".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_inline(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _dumped(value).decode("utf-8", "surrogatepass").replace("NaN", "nan").replace("Infinity", "inf")


def _dumped(document: Any) -> bytes:
    """Return JSON as Python writes it: numbers of 400 digits, NaN and halves of surrogate pairs included."""
    return json.dumps(document, ensure_ascii=True).encode()
