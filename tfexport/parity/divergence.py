"""Find the first layer that differs. Layers are matched by their outputs, since names do not survive conversion.

A layer of the reference *is found* in a file when a tensor of the file holds the layer's output. Its axes may have any order that
converters use. Layers are listed in the order in which they return; inner layers return first. The two computations diverge
at the first layer that is not found, and none of whose callers is found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FOUND = 5e-5
"""A layer is found when the largest difference is at most this share of its largest magnitude."""
_CHANNELS = ((0, 3, 1, 2), (0, 2, 3, 1))
_ORDERS = {3: ((0, 2, 1), (1, 0, 2)), 4: (*_CHANNELS, (0, 2, 1, 3))}


@dataclass(frozen=True)
class Layer:
    """A layer of the reference, and the tensor of the other computation that is nearest to its output.

    Attributes:
        name: Path of the layer in the reference.
        shape: Shape of its output.
        error: Largest difference to the nearest tensor, as a share of the layer's largest magnitude; None when no tensor
            has as many elements.
        nearest: Name of that tensor; None when there is none.
    """

    name: str
    shape: tuple[int, ...]
    error: float | None
    nearest: str | None

    @property
    def found(self) -> bool:
        """Whether a tensor holds its output."""
        return self.error is not None and self.error <= FOUND


@dataclass(frozen=True)
class Divergence:
    """The place where two computations diverge.

    Attributes:
        layers: All layers, in the order in which they returned.
        first: First layer that differs; None when all are found.
        before: Last layer before it that is found; None when there is none.
    """

    layers: tuple[Layer, ...]
    first: Layer | None
    before: Layer | None


def first_divergent(reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> Divergence:
    """Return the first layer of a reference that is not found.

    Args:
        reference: Output of each layer, in the order in which the layers returned.
        other: Tensors of the other computation.
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
    """Return whether a tensor holds the values, in any order of axes that converters use."""
    return _look_for("", values, [(name, each) for name, each in tensors.items() if each.size == values.size]).found


def swapped_outputs(
    reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], failing: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the failing outputs whose expected values another output holds, as pairs of the two names."""
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
    """Yield an array in the shape of another one of the same size: as it is, and with its axes in other orders."""
    yield values.reshape(like.shape)
    for order in _ORDERS.get(values.ndim, ()):
        turned = values.transpose(order)
        # When all lengths are equal, two axes that are mixed up are a fault; channels first or last are not.
        if order in _CHANNELS or turned.shape != values.shape or values.shape != like.shape:
            yield turned.reshape(like.shape)


def _error(reference: np.ndarray, values: np.ndarray) -> float:
    """Return the largest difference as a share of the largest magnitude.

    It is infinite when a value is finite in only one of the two arrays.
    """
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
