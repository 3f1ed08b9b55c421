"""Text of others, made safe to print."""

from __future__ import annotations

import os

import pytest

from tfexport.errors import InputsError
from tfexport.text import printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größer 模型 🙂", "größer 模型 🙂"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\rb\x9b2J\x7f", r"a\rb\x9b2J\x7f"),
        ("abc\u202egpj", r"abc\u202egpj"),
        ("a\u2028b", r"a\u2028b"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()


def test_every_error_is_safe_to_print_and_short() -> None:
    message = str(InputsError(f"the layer \x1b[2J{'x' * 100_000} is wrong. Do this next."))
    assert "\x1b" not in message
    assert len(message) < 2600
    assert message.endswith("is wrong. Do this next.")


def test_a_short_text_stays() -> None:
    assert shortened("x" * 10, 10) == "x" * 10
    assert shortened("a" * 10 + "b" * 10, 10) == "aaaaa [... 10 more characters ...] bbbbb"
