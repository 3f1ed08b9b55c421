"""The page of messages is that of the source, and holds every error that can be raised."""

from __future__ import annotations

import inspect

from tests import messages
from tfexport import errors

BASES = {"TfExportError"}
"""Classes that are only caught: each message belongs to a class below them."""


def test_the_page_is_that_of_the_source() -> None:
    assert messages.FILE.read_text() == messages.page(messages.messages()), f"a message changed: {messages.COMMAND}"


def test_every_error_of_the_tree_has_a_message() -> None:
    tree = {name for name, each in vars(errors).items() if inspect.isclass(each) and issubclass(each, Exception)}
    assert {message.error for message in messages.messages()} == tree - BASES


def test_what_a_class_builds_itself_is_on_the_page() -> None:
    """By an error that is made: its text fits the template, word for word between the expressions."""
    made = str(errors.UnsupportedOpError([("Erfinv", "head/erfinv")], converter="tf2onnx"))
    (template,) = (message.text for message in messages.messages() if message.error == "UnsupportedOpError")
    assert made.endswith(template[template.index("Nothing was written") :])
    assert "has no ONNX mapping for" in made
    assert "has no ONNX mapping for" in template
