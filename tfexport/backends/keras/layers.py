"""Outputs of each layer of a Keras model, in the order in which the layers end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfexport.backends.base import Layers
from tfexport.processes.patching import PatchingSpec, patched


@contextmanager
def recorded_calls(
    classes: Sequence[Any],
    layers: Layers,
    flatten: Callable[[Any], Sequence[Any]],
    is_float: Callable[[Any], bool],
    array: Callable[[Any], Any],
) -> Iterator[None]:
    """Record every layer that is called within a block, by the path of its own and its callers' names.

    Args:
        classes: Base classes of all layers, of Keras 3 or of tf_keras.
        layers: Collection to which the outputs are added.
        flatten: Function from the outputs of a layer to a list.
        is_float: Function that returns whether an output is a tensor of floats.
        array: Function from such a tensor to a NumPy array.
    """
    path: list[str] = []

    def recording(original: Any) -> Any:
        def call(layer: Any, *arguments: Any, **named: Any) -> Any:
            path.append(layer.name)
            try:
                outputs = original(layer, *arguments, **named)
                layers.add("/".join(path), flatten(_plain(outputs)), is_float, array)
            finally:
                path.pop()
            return outputs

        return call

    with patched([PatchingSpec(each, "__call__", recording(each.__call__)) for each in classes]):
        yield


def _plain(outputs: Any) -> Any:
    return list(outputs.values()) if isinstance(outputs, dict) else outputs
