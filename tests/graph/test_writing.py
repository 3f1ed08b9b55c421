"""Writing: one file when the weights are small, two when they are large, an error when there is no room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from tests.graph import texts
from tfexport.errors import ConversionError, OutputError
from tfexport.graph import writing
from tfexport.graph.writing import EXTERNAL_DATA_THRESHOLD, WrittenWeights, read_files, save

BODY = "g (float[n, 600] x, float[700, 600] w) => (float[n, 700] y) { y = Gemm <transB = 1> (x, w) }"
W = np.random.default_rng(0).normal(size=(700, 600)).astype(np.float32)
FEEDS = {"x": np.ones((2, 600), np.float32)}


def _model() -> ir.Model:
    return texts.with_weights(BODY, {"w": W})


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _assert_computes(path: Path) -> None:
    onnx.checker.check_model(str(path), full_check=True)
    np.testing.assert_allclose(texts.run(path, FEEDS)[0], FEEDS["x"] @ W.T, rtol=1e-4, atol=1e-4)


def test_small_weights_are_in_the_graph(tmp_path: Path) -> None:
    files = save(_model(), tmp_path / "model.onnx")
    assert (files.model, files.data) == (tmp_path / "model.onnx", None)
    assert (files.weight_bytes, files.nodes) == (W.nbytes, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    _assert_computes(files.model)


def test_large_weights_are_in_a_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", W.nbytes)
    files = save(_model(), tmp_path / "model.onnx")
    assert files.data == tmp_path / "model.onnx_data"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx_data"]
    assert files.model.stat().st_size < 1000
    (tensor,) = onnx.load(files.model, load_external_data=False).graph.initializer
    entries = {entry.key: entry.value for entry in tensor.external_data}
    assert entries["location"] == "model.onnx_data"
    assert int(entries["offset"]) % 4096 == 0
    assert int(entries["length"]) == W.nbytes
    _assert_computes(files.model)


def test_the_pair_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 1)
    (tmp_path / "stage").mkdir()
    save(_model(), tmp_path / "stage" / "model.onnx")
    (tmp_path / "stage").rename(tmp_path / "published")
    _assert_computes(tmp_path / "published" / "model.onnx")


def test_the_threshold_counts_all_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", W.nbytes + 1)
    assert save(_model(), tmp_path / "model.onnx").data is None
    assert EXTERNAL_DATA_THRESHOLD < 2**31  # far from what one protobuf can hold


def test_an_earlier_file_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 1)
        save(_model(), tmp_path / "model.onnx")
    _assert_computes(save(_model(), tmp_path / "model.onnx").model)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 1)
    _assert_computes(save(_model(), tmp_path / "model.onnx").model)


@pytest.mark.parametrize("external", [False, True])
def test_a_limit_on_the_size_of_files(external: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if external:
        monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", 1)
    name = "model.onnx_data" if external else "model.onnx"
    with _largest_file(1024 * 1024), pytest.raises(OutputError, match="limit on file sizes") as caught:
        save(_model(), tmp_path / "model.onnx")
    assert str(tmp_path / name) in str(caught.value)
    assert f"{W.nbytes:,} bytes" in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_no_room_is_noticed_before_a_weight_is_read(tmp_path: Path) -> None:
    def read() -> ir.TensorProtocol:
        raise AssertionError("read, though there is no room for it")

    model = _model()
    shape = ir.Shape([2**30, 2**30])  # an exbibyte
    huge = ir.LazyTensor(read, dtype=ir.DataType.FLOAT, shape=shape, name="w", cache=False)
    model.graph.initializers["w"].const_value = huge
    with pytest.raises(OutputError, match=r"bytes free; the weights need 4,611,686,018,427,387,904"):
        save(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(OutputError, match="could not be written"):
        save(_model(), tmp_path / "model.onnx")


def _other_over_the_same_weights(tensor: ir.TensorProtocol) -> ir.Model:
    body = "h (float[700, n] x, float[700, 600] w, float[3] own) => (float[600, n] y, float[3] z) {"
    body += " y = Gemm <transA = 1> (w, x)  z = Neg (own) }"
    made = texts.with_weights(body, {"w": W, "own": np.ones(3, np.float32)})
    made.graph.initializers["w"].const_value = tensor
    return made


def test_weights_that_another_model_has_written_are_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", W.nbytes)
    one, written = _model(), WrittenWeights()
    weight = one.graph.initializers["w"].const_value
    assert weight is not None
    other = _other_over_the_same_weights(weight)
    first, second = save(one, tmp_path / "one.onnx", written), save(other, tmp_path / "other.onnx", written)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.onnx", "one.onnx_data", "other.onnx"]
    assert first.data == second.data == tmp_path / "one.onnx_data"
    assert second.weight_bytes == W.nbytes + 12
    assert (tmp_path / "other.onnx").stat().st_size < 1000
    x = np.ones((700, 2), np.float32)
    found, negated = texts.run(tmp_path / "other.onnx", {"x": x})
    np.testing.assert_allclose(found, W.T @ x, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(negated, [-1, -1, -1])
    assert isinstance(other.graph.initializers["w"].const_value, ir.Tensor)  # the model itself is as it was


def test_other_weights_of_the_same_name_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", W.nbytes)
    written = WrittenWeights()
    save(_model(), tmp_path / "one.onnx", written)
    save(_other_over_the_same_weights(ir.Tensor(2 * W, name="w")), tmp_path / "other.onnx", written)
    x = np.ones((700, 2), np.float32)
    np.testing.assert_allclose(texts.run(tmp_path / "other.onnx", {"x": x})[0], 2 * W.T @ x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("threshold", [W.nbytes, W.nbytes + 1])
def test_a_file_is_described_as_when_it_was_written(
    threshold: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "EXTERNAL_DATA_THRESHOLD", threshold)
    assert save(_model(), tmp_path / "model.onnx") == read_files(tmp_path / "model.onnx")


def test_weights_in_several_files_are_refused(tmp_path: Path) -> None:
    body = "g (float[n, 600] x, float[600] v, float[600] w) => (float[n, 600] y) { s = Add (x, v)  y = Add (s, w) }"
    made = ir.to_proto(texts.with_weights(body, {"v": W[0], "w": W[1]}))
    path = tmp_path / "model.onnx"
    onnx.save_model(made, path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    with pytest.raises(
        ConversionError, match=r"model\.onnx has its weights in 2 files; expected one file beside it\.$"
    ):
        read_files(path)
