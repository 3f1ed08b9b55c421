"""Which layer is the first to differ. Layers are matched by what they give, since names do not survive conversion.

A layer of the reference *is found* in a file when some tensor of the file holds what the layer gave, in any of the orders of axes
that converters use. Layers end in an order; the innermost end first. The first one that is not found, and none of whose callers
is, is where the two part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FOUND = 5e-5
"""A layer is found where the largest difference is within this share of its largest magnitude."""
_CHANNELS = ((0, 3, 1, 2), (0, 2, 3, 1))
_ORDERS = {3: ((0, 2, 1), (1, 0, 2)), 4: (*_CHANNELS, (0, 2, 1, 3))}


@dataclass(frozen=True)
class Layer:
    """A layer of the reference, looked for among the tensors of the other.

    Attributes:
        name: in the reference: a path.
        shape: of what it gave.
        error: of the nearest tensor: the largest difference, as a share of the layer's largest magnitude; None where no
            tensor has as many elements.
        nearest: that tensor's name.
    """

    name: str
    shape: tuple[int, ...]
    error: float | None
    nearest: str | None

    @property
    def found(self) -> bool:
        """Whether some tensor holds what it gave."""
        return self.error is not None and self.error <= FOUND


@dataclass(frozen=True)
class Divergence:
    """Where two computations part.

    Attributes:
        layers: all layers, in the order in which they ended.
        first: the first one that differs; None when all are found.
        before: the last one before it that is found; None when there is none.
    """

    layers: tuple[Layer, ...]
    first: Layer | None
    before: Layer | None


def first_divergent(reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> Divergence:
    """The first layer of a reference that is not found.

    Args:
        reference: what each layer gave, in the order in which they ended.
        other: tensors of the other computation.
    """
    by_size: dict[int, list[tuple[str, np.ndarray]]] = defaultdict(list)
    for name, array in other.items():
        by_size[array.size].append((name, array))
    layers = tuple(_look_for(name, array, by_size[array.size]) for name, array in reference.items())
    found = {_path(layer.name) for layer in layers if layer.found}
    for index, layer in enumerate(layers):
        if layer.error is not None and not layer.found and not any(above in found for above in _callers(layer.name)):
            return Divergence(layers, layer, next((each for each in reversed(layers[:index]) if each.found), None))
    return Divergence(layers, None, None)


def holds(tensors: Mapping[str, np.ndarray], values: np.ndarray) -> bool:
    """Whether some tensor holds some values, in any order of axes that converters use."""
    return _look_for("", values, [(name, each) for name, each in tensors.items() if each.size == values.size]).found


def swapped_outputs(
    reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], failing: Sequence[str]
) -> list[tuple[str, str]]:
    """Outputs that have another one's values: pairs of a failing name and the name of the output that has its values."""
    return [
        (name, elsewhere)
        for name in failing
        for elsewhere, array in other.items()
        if elsewhere != name and array.shape == reference[name].shape and _error(reference[name], array) <= FOUND
    ]


def _look_for(name: str, array: np.ndarray, candidates: Sequence[tuple[str, np.ndarray]]) -> Layer:
    best, nearest = None, None
    for tensor, values in candidates:
        for arranged in _arranged(values, array):
            error = _error(array, arranged)
            if best is None or error < best:
                best, nearest = error, tensor
        if best is not None and best <= FOUND:
            break
    return Layer(name, tuple(array.shape), best, nearest)


def _arranged(values: np.ndarray, like: np.ndarray) -> Iterator[np.ndarray]:
    """An array in the shape of another of as many elements: as it is, and with its axes in other orders."""
    yield values.reshape(like.shape)
    for order in _ORDERS.get(values.ndim, ()):
        turned = values.transpose(order)
        # Where all lengths are equal two axes that are mixed up are a fault; channels first or last are not.
        if order in _CHANNELS or turned.shape != values.shape or values.shape != like.shape:
            yield turned.reshape(like.shape)


def _error(reference: np.ndarray, values: np.ndarray) -> float:
    """The largest difference as a share of the largest magnitude; infinite where one is not finite and the other is."""
    finite = np.isfinite(reference)
    if not np.array_equal(finite, np.isfinite(values)):
        return float("inf")
    scale = float(np.abs(reference[finite]).max(initial=0.0))
    worst = float(np.abs(reference[finite].astype(np.float64) - values[finite]).max(initial=0.0))
    return worst / scale if scale else worst


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.replace("/", ".").split("."))


def _callers(name: str) -> Iterator[tuple[str, ...]]:
    path = _path(name)
    return (path[:length] for length in range(len(path) - 1, 0, -1))
