"""Sizes that a configuration names, held against the file: a model may make few more variables than its file has values for.

A configuration of a hundred bytes can ask for a layer of 10^12 units, or for a million layers in one. Which of its numbers
size variables, and by which product, only Keras knows. So Keras itself is watched: each variable is counted when it is made,
before it is allocated. A model that was saved has a value in its file for every variable. The bound is twice that, and a
constant: variables of adapters (LoRA) and states of random numbers may be missing from a file.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import Any

from tfexport.backends.keras.code import objects
from tfexport.errors import CorruptCheckpointError
from tfexport.processes.patching import PatchingSpec, patched

MOST_CALLS = 20_000
"""Layers, and calls of layers, of a model. The largest that we know, NASNetLarge, has a thousand of each."""
MOST_READS = 1_000_000
"""References to calls that tf_keras reads between two calls. It reads those of one model again and again until all are made."""
_FACTOR = 2
_MORE_VALUES = 1_000_000
_MORE_VARIABLES = 1_000
_LAYERS_EACH = 20
"""Layers that one layer, or one array of weights, may stand for: a layer of attention makes eight."""


@dataclass(frozen=True)
class Stored:
    """What the weights of a file hold.

    Attributes:
        values: Number of values.
        arrays: Number of arrays.
        listed: Number of layers, and of calls, that the configuration lists.
    """

    values: int
    arrays: int
    listed: int = 0


def check_calls(config: Any, source: str) -> int:
    """Check the number of layers and of their calls in a configuration, and return it.

    Raises:
        CorruptCheckpointError: There are more than any model has.
    """
    found = 0
    for item, _ in objects(config):
        found += sum(len(item[key]) for key in ("layers", "inbound_nodes") if isinstance(item.get(key), list | Mapping))
        if found > MOST_CALLS:
            raise CorruptCheckpointError(
                f"{source} has more than {MOST_CALLS:,} layers and calls of layers, and the largest models have some thousands. "
                "Fetch it again from a source that you trust, or export a part of it."
            )
    return found


@contextmanager
def watched(kerases: Sequence[ModuleType], stored: Stored, source: str) -> Iterator[None]:
    """Refuse a model that makes more variables in a block than its file has values for, and one whose layers form a circle.

    Args:
        kerases: Keras 3, tf_keras, or both.
        stored: What the file holds.
        source: Name of the file for messages.

    Raises:
        CorruptCheckpointError: A variable is one too many, or too large.
        ValueError: Layers of tf_keras wait for each other.
    """
    count = _Count(stored, source)
    with patched([spec for keras in kerases for spec in _patches(keras, count)]):
        yield


class _Count:
    """The variables made so far."""

    def __init__(self, stored: Stored, source: str) -> None:
        self._stored, self._source = stored, source
        self._values = self._arrays = self._layers = 0

    def add_layer(self) -> None:
        self._layers += 1
        if self._layers > _LAYERS_EACH * (self._stored.listed + self._stored.arrays) + _MORE_VARIABLES:
            raise CorruptCheckpointError(
                f"the configuration of {self._source} asks for at least {self._layers:,} layers, and its file holds "
                f"{self._stored.arrays:,} weights. Fetch or save it again."
            )

    def add(self, shape: Any) -> None:
        lengths = [length for length in _lengths(shape) if length is not None]
        self._values += max(prod(lengths), 0)
        self._arrays += 1
        if (
            self._values > _FACTOR * self._stored.values + _MORE_VALUES
            or self._arrays > _FACTOR * self._stored.arrays + _MORE_VARIABLES
        ):
            raise CorruptCheckpointError(
                f"the configuration of {self._source} asks for at least {self._values:,} values in {self._arrays:,} weights, and "
                f"its file holds {self._stored.values:,} in {self._stored.arrays:,}. Fetch or save it again."
            )


def _lengths(shape: Any) -> Sequence[int | None]:
    """Return the lengths of a shape in any of the forms that Keras accepts."""
    if shape is None:
        return ()
    if isinstance(shape, int):
        return (shape,)
    listed = shape.as_list() if hasattr(shape, "as_list") else shape
    return tuple(int(length) if length is not None else None for length in listed)


def _patches(keras: ModuleType, count: _Count) -> list[PatchingSpec]:
    return _of_keras(keras, count) if keras.__name__ == "keras" else _of_tf_keras(keras, count)


def _of_keras(keras: ModuleType, count: _Count) -> list[PatchingSpec]:
    variable = next(kind for kind in keras.Variable.__mro__ if "__init__" in vars(kind))
    original = variable.__init__

    def made(self: Any, initializer: Any, shape: Any = None, *arguments: Any, **named: Any) -> None:
        count.add(shape)
        original(self, initializer, shape, *arguments, **named)

    operation = keras.Operation
    create = operation.__new__

    def created(kind: Any, *arguments: Any, **named: Any) -> Any:
        count.add_layer()
        return create(kind, *arguments, **named)

    return [PatchingSpec(variable, "__init__", made), PatchingSpec(operation, "__new__", staticmethod(created))]


def _of_tf_keras(keras: ModuleType, count: _Count) -> list[PatchingSpec]:
    layer, reference = keras.layers.Layer, sys.modules["tf_keras.src.utils.tf_utils"].ListWrapper
    add_weight, call, as_list, original = layer.add_weight, layer.__call__, reference.as_list, layer.__init__
    reads = 0

    @functools.wraps(original)
    def made(self: Any, *arguments: Any, **named: Any) -> None:
        count.add_layer()
        original(self, *arguments, **named)

    def added(self: Any, name: Any = None, shape: Any = None, *arguments: Any, **named: Any) -> Any:
        count.add(shape)
        return add_weight(self, name, shape, *arguments, **named)

    def called(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal reads
        reads = 0
        return call(self, *arguments, **named)

    def read(self: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads > MOST_READS:  # tf_keras would read for ever; Keras 3 raises an error itself
            raise ValueError("layers wait for each other in a circle")
        return as_list(self)

    return [
        PatchingSpec(layer, "add_weight", added),
        PatchingSpec(layer, "__call__", called),
        PatchingSpec(reference, "as_list", read),
        PatchingSpec(layer, "__init__", made),
    ]
