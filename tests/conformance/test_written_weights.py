"""Weights that are written twice are found in files that onnx itself writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from conformance.written_weights import inspect

ONE = np.arange(512, dtype=np.float32)
OTHER = ONE + 512
INSIDE = np.arange(6, dtype=np.float32)
SIZE = ONE.nbytes


def graph_file(
    folder: Path,
    name: str,
    places: dict[str, tuple[int, int]],
    data: str = "a.onnx_data",
    inside: np.ndarray | None = None,
) -> None:
    """Write a graph whose weights are at offsets and lengths of a data file; ``inside`` is in the graph."""
    weights = [numpy_helper.from_array(INSIDE if inside is None else inside, "inside")]
    for weight, (offset, length) in places.items():
        tensor = TensorProto(name=weight, data_type=TensorProto.FLOAT, dims=[length // 4])
        tensor.raw_data = b"\0" * length
        set_external_data(tensor, data, offset=offset, length=length)
        tensor.ClearField("raw_data")
        weights.append(tensor)
    nodes = [helper.make_node("Identity", [weight.name], [f"of/{weight.name}"]) for weight in weights]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None) for node in nodes]
    graph = helper.make_graph(nodes, "graph", [], outputs, initializer=weights)
    (folder / name).write_bytes(helper.make_model(graph).SerializeToString())


def test_each_weight_once(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(ONE.tobytes() + b"\0" * 8 + OTHER.tobytes())
    graph_file(tmp_path, "a.onnx", {"one": (0, SIZE), "other": (SIZE + 8, SIZE)})
    graph_file(tmp_path, "b.onnx", {"one": (0, SIZE)})
    told = inspect(tmp_path)
    assert told["twice"] == []
    assert told["data"] == {
        "a.onnx_data": {"weights": 2, "weight_bytes": 2 * SIZE, "other_bytes": 8, "read_by": ["a.onnx", "b.onnx"]}
    }
    assert told["graphs"]["b.onnx"] == {"inside_bytes": 24, "outside_bytes": {"a.onnx_data": SIZE}}
    assert set(told["files"]) == {"a.onnx", "b.onnx", "a.onnx_data"}


def test_the_same_bytes_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(ONE.tobytes())
    (tmp_path / "b.onnx_data").write_bytes(OTHER.tobytes() + ONE.tobytes())
    graph_file(tmp_path, "a.onnx", {"one": (0, SIZE)})
    graph_file(tmp_path, "b.onnx", {"other": (0, SIZE), "again": (SIZE, SIZE)}, "b.onnx_data")
    told = inspect(tmp_path)
    assert told["twice"] == [["one in a.onnx_data", "again in b.onnx_data"]]
    assert told["twice_bytes"] == SIZE


def test_the_same_bytes_inside_a_graph(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(ONE.tobytes())
    graph_file(tmp_path, "a.onnx", {"one": (0, SIZE)}, inside=OTHER)
    graph_file(tmp_path, "b.onnx", {}, inside=OTHER)
    assert inspect(tmp_path)["twice"] == [["inside in a.onnx", "inside in b.onnx"]]


def test_places_that_overlap(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(ONE.tobytes() + OTHER.tobytes())
    graph_file(tmp_path, "a.onnx", {"whole": (0, 2 * SIZE), "part": (SIZE, SIZE)})
    assert inspect(tmp_path)["twice"] == [["whole in a.onnx_data", "part in a.onnx_data"]]


def test_weights_of_one_value_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(np.ones(1024, np.float32).tobytes())
    graph_file(tmp_path, "a.onnx", {"scale": (0, SIZE), "another": (SIZE, SIZE)})
    assert inspect(tmp_path)["twice"] == []


def test_a_wrong_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx_data").write_bytes(ONE.tobytes())
    graph_file(tmp_path, "a.onnx", {"one": (0, SIZE)})
    model = onnx.load(tmp_path / "a.onnx", load_external_data=False)
    next(entry for entry in model.graph.initializer[1].external_data if entry.key == "length").value = "20"
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="one has 2048 bytes, but its place in a.onnx_data has 20"):
        inspect(tmp_path)
