"""Conversions by tf2onnx that do not depend on the process.

Tf2onnx 1.17.0 counts the names that it makes for the whole process, names the parts of an Einsum after addresses in memory, and
iterates over sets of nodes and of names. The order of such sets differs from process to process, and with it the order of the
nodes, and which of several equal nodes remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSet
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Generic, TypeVar

from tf2onnx import graph, symbolic_executor, tf_loader, utils
from tf2onnx.optimizer import einsum_optimizer, transpose_optimizer

from tfexport.backends.weightless import FIRST_COUNT
from tfexport.processes.locks import PROCESS_LOCK

_Item = TypeVar("_Item")
_ITERATE: tuple[ModuleType, ...] = (graph, symbolic_executor, tf_loader, transpose_optimizer)
"""Modules of tf2onnx that iterate over sets."""


class OrderedSet(MutableSet[_Item], Generic[_Item]):
    """A set that iterates in the order in which its items were added, with the methods of `set` that tf2onnx calls."""

    def __init__(self, items: Iterable[_Item] = ()) -> None:
        self._items = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: _Item) -> None:
        """Add an item."""
        self._items[item] = None

    def discard(self, item: _Item) -> None:
        """Remove an item, if it is there."""
        self._items.pop(item, None)

    def pop(self) -> _Item:
        """Remove and return the last item."""
        return self._items.popitem()[0]

    def union(self, other: Iterable[_Item]) -> OrderedSet[_Item]:
        """Return the items of both."""
        return OrderedSet((*self, *other))

    def issubset(self, other: OrderedSet[Any]) -> bool:
        """Return whether another set has all items."""
        return self <= other


class _Numbers:
    """A counterpart of `id` that numbers objects in the order in which it is asked, and keeps them alive.

    The numbers begin high: tf2onnx has small ones beside them, which number inputs.
    """

    def __init__(self) -> None:
        self._numbered: dict[int, tuple[int, object]] = {}

    def __call__(self, each: object) -> int:
        return self._numbered.setdefault(id(each), (FIRST_COUNT + len(self._numbered), each))[0]


@contextmanager
def reproducible() -> Iterator[None]:
    """Let tf2onnx count from `FIRST_COUNT` on and iterate over ordered sets, and forget its functions after the block.

    Tf2onnx would keep the graphs of the branches and bodies of the last model in memory.
    """
    with PROCESS_LOCK:
        counted = utils.INTERNAL_NAME
        utils.INTERNAL_NAME = FIRST_COUNT
        for module in _ITERATE:
            vars(module)["set"] = OrderedSet
        vars(einsum_optimizer)["id"] = _Numbers()
        try:
            yield
        finally:
            for module in _ITERATE:
                del vars(module)["set"]
            del vars(einsum_optimizer)["id"]
            utils.INTERNAL_NAME = counted
            tf_loader.clear_functions()
