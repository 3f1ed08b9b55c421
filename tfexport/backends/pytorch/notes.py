"""What is to be told where a traced graph turns out not to be the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tfexport.errors import ConversionError

_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noted() -> Iterator[list[str]]:
    """What is noted within a block, each thing once; a `ConversionError` that ends it tells that too."""
    notes: list[str] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    except ConversionError as error:
        error.args = ("; ".join([*notes, str(error)]),)
        raise
    finally:
        _NOTES.reset(token)


def note(text: str) -> None:
    """Note something, where anybody asks for notes."""
    notes = _NOTES.get()
    if notes is not None and text not in notes:
        notes.append(text)
