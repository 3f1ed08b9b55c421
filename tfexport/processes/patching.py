"""Replacement of an attribute for a limited time, after which exactly the original is restored."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tfexport.processes.locks import PROCESS_LOCK

_ABSENT = object()


@dataclass
class PatchingSpec:
    """An attribute to replace while a model is traced.

    Attributes:
        o: Object (module, class, instance) that holds the attribute.
        name: Name of the attribute.
        custom_op: Replacement.
        orig_op: Value to restore; None for the value at the time of the patch.
        op_wrapper: Function that wraps `custom_op` when patching. It is never applied to the restored value.
    """

    o: Any
    name: str
    custom_op: Any
    orig_op: Callable[..., Any] | None = None
    op_wrapper: Callable[..., Any] | None = None

    def apply(self) -> Callable[[], None]:
        """Patch, and return the function that restores the original."""
        own = vars(self.o).get(self.name, _ABSENT)  # the raw attribute: getattr would unwrap a staticmethod
        found = getattr(self.o, self.name)  # fails for a name that does not exist: a mistake in the spec
        inherited = own is _ABSENT and inspect.getattr_static(self.o, self.name, _ABSENT) is not _ABSENT
        setattr(self.o, self.name, self.custom_op if self.op_wrapper is None else self.op_wrapper(self.custom_op))

        def restore() -> None:
            if self.orig_op is not None:
                setattr(self.o, self.name, self.orig_op)
            elif inherited:
                delattr(self.o, self.name)
            else:
                # torch keeps a module's children elsewhere, behind its __getattr__
                setattr(self.o, self.name, found if own is _ABSENT else own)

        return restore


@contextmanager
def patched(specs: Iterable[PatchingSpec]) -> Iterator[None]:
    """Apply patches for the duration of a block, which holds the lock of the process. They are undone however the block ends."""
    with PROCESS_LOCK, ExitStack() as stack:
        for spec in specs:
            stack.callback(spec.apply())
        yield
