"""The places of the weights in the files of an export, and whether any weight is written twice.

    python -m conformance.written_weights FOLDER

Only the files are read. The graphs name the data file and offset of each weight, and the bytes there show whether two
places hold the same values.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

_LEAST_BYTES = 1024


@dataclass(frozen=True, order=True)
class Place:
    """The place of a weight.

    Attributes:
        file: Name of the data file.
        offset: Offset in the file, in bytes.
        length: Length, in bytes.
    """

    file: str
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the weight."""
        return self.offset + self.length


def inspect(folder: Path) -> dict[str, Any]:
    """Inspect the weights in an exported directory.

    Returns:
        - ``files``: Bytes of each ONNX and data file.
        - ``graphs``: For each graph, the bytes of its weights in each data file, and of those inside the graph.
        - ``data``: For each data file, its weights, their bytes, the bytes between weights (alignment), and the graphs that
          read it.
        - ``twice``: Groups of places that overlap or hold the same bytes, each named by its weights; empty when every
          weight is written once.
        - ``twice_bytes``: Bytes that would be saved if the same bytes were written once.

        Weights below 1 KiB and weights of one repeated value, such as the scales of a new model's norms, are not
        compared: two of them are two weights.
    """
    graphs = {file.name: onnx.load(file, load_external_data=False).graph for file in sorted(folder.glob("*.onnx"))}
    names: dict[Place, str] = {}
    readers: dict[Place, set[str]] = {}
    inside: dict[str, int] = dict.fromkeys(graphs, 0)
    same = _Same()
    for file, graph in graphs.items():
        for weight in _weights(graph):
            if uses_external_data(weight):
                place = _place(weight)
                names.setdefault(place, f"{weight.name} in {place.file}")
                readers.setdefault(place, set()).add(file)
            else:
                inside[file] += weight_bytes(weight)
                same.add(f"{weight.name} in {file}", numpy_helper.to_array(weight))
    for place in sorted(names):
        if place.length:
            same.add(names[place], np.memmap(folder / place.file, np.uint8, "r", place.offset, place.length))
    sizes = {file.name: file.stat().st_size for file in sorted(folder.glob("*.onnx*"))}
    return {
        "files": sizes,
        "graphs": {
            file: {
                "inside_bytes": inside[file],
                "outside_bytes": {
                    data: sum(place.length for place in names if place.file == data and file in readers[place])
                    for data in sorted({place.file for place in names if file in readers[place]})
                },
            }
            for file in graphs
        },
        "data": {data: _of_data_file(data, sizes[data], readers) for data in sorted({place.file for place in names})},
        "twice": [*([names[place] for place in pair] for pair in _overlapping(names)), *same.groups()],
        "twice_bytes": same.spare_bytes(),
    }


def _of_data_file(data: str, size: int, readers: dict[Place, set[str]]) -> dict[str, Any]:
    places = [place for place in readers if place.file == data]
    held = sum(place.length for place in places)
    return {
        "weights": len(places),
        "weight_bytes": held,
        "other_bytes": size - held,
        "read_by": sorted(set().union(*(readers[place] for place in places))),
    }


def _weights(graph: Any) -> Iterator[Any]:
    """Yield the initializers of a graph and of the branches of its conditionals."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _weights(inner)


def weight_bytes(weight: Any) -> int:
    """Return the size of the values of a weight, in bytes."""
    itemsize: int = onnx.helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize
    return int(math.prod(weight.dims)) * itemsize


def _place(weight: Any) -> Place:
    external = ExternalDataInfo(weight)
    length = weight_bytes(weight)
    if external.length is not None and external.length != length:
        raise ValueError(
            f"{weight.name} has {length} bytes, but its place in {external.location} has {external.length}"
        )
    return Place(external.location, external.offset or 0, length)


def _overlapping(names: dict[Place, str]) -> Iterator[list[Place]]:
    furthest: Place | None = None
    for place in sorted(names):
        if furthest is not None and furthest.file == place.file and place.offset < furthest.end:
            yield [furthest, place]
        if furthest is None or furthest.file != place.file or place.end > furthest.end:
            furthest = place


class _Same:
    """Finds values with the same bytes."""

    def __init__(self) -> None:
        self._named: dict[tuple[int, str], list[str]] = {}

    def add(self, name: str, values: np.ndarray) -> None:
        """Add the values of a weight."""
        held = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        if len(held) >= _LEAST_BYTES and not _one_value(held):
            self._named.setdefault((len(held), hashlib.sha256(held.data).hexdigest()), []).append(name)

    def groups(self) -> list[list[str]]:
        """Return groups of names whose values are equal."""
        return [names for names in self._named.values() if len(names) > 1]

    def spare_bytes(self) -> int:
        """Return the bytes of all members but the first of each group."""
        return sum(length * (len(names) - 1) for (length, _), names in self._named.items())


def _one_value(held: np.ndarray) -> bool:
    width = 4 if len(held) % 4 == 0 else 1
    words = held.view(f"u{width}")
    return bool((words == words[0]).all())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    print(json.dumps(inspect(parser.parse_args().folder), indent=1))
