"""Notes for the case that a traced graph does not compute the same as the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tfexport.errors import ConversionError

_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect the notes of a block, each once. A `ConversionError` that ends the block contains them too."""
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
    """Add a note if an enclosing block collects notes."""
    notes = _NOTES.get()
    if notes is not None and text not in notes:
        notes.append(text)
