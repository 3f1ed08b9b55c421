"""Tests that require a GPU. Checkpoints and files are PyTorch's, so that TensorFlow need not be installed there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from benchmarks.calibration import matmul_file
from benchmarks.shapes import SHAPES, make
from tests.benchmark.test_engines import QUICK, cells, problems
from tfexport import export_checkpoint
from tfexport.benchmark import Options, Request, benchmark
from tfexport.benchmark.cells import Cell, Setting
from tfexport.benchmark.engines.onnx_runtime import OnnxRuntimeCudaGraph, Session
from tfexport.benchmark.environment import gpus
from tfexport.benchmark.memory import gpu_mib
from tfexport.benchmark.run_spec import Model, RunSpec
from tfexport.errors import PlacementError

CUDA = "CUDAExecutionProvider"
pytestmark = pytest.mark.skipif(
    CUDA not in onnxruntime.get_available_providers() or not gpus(), reason="needs a GPU and ONNX Runtime for CUDA"
)


def run_spec(path: Path, boundary: Any = "host", precision: str = "fp32") -> RunSpec:
    setting = Setting("file", 1, None, 0, 1, 1, boundary, precision)
    return RunSpec(Model("file", {path.stem: path}), Cell("ort", "cuda", setting))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that exports a tiny model beside its checkpoint."""
    folder, made = tmp_path_factory.mktemp("cuda"), {}

    def export(shape: str) -> Path:
        if shape not in made:
            make(SHAPES[shape], "pt").save_pretrained(folder / f"{shape}-source")
            export_checkpoint(folder / f"{shape}-source", folder / shape, feature="auto")
            made[shape] = folder / shape
        return made[shape]

    return export


def test_a_session_computes_on_cuda(tmp_path: Path) -> None:
    found = Session(matmul_file(tmp_path / "chain.onnx", width=8), run_spec(tmp_path / "chain.onnx"))
    assert found.session.get_providers()[0] == CUDA
    assert found.assignment.share == 1.0
    assert found.provider_options["use_tf32"] == "0"


def test_what_cuda_does_not_compute_is_named(tmp_path: Path) -> None:
    """Det is an op that only ONNX Runtime's CPU provider has."""
    square = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 3])
    graph = helper.make_graph(
        [helper.make_node("Det", ["x"], ["y"], name="the determinant")],
        "g",
        [square],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    path = tmp_path / "det.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    with pytest.raises(PlacementError, match=r"1 of .* nodes compute on the CPU.*Det \(the determinant\)"):
        Session(path, run_spec(path))


def test_a_cuda_graph_reads_what_it_is_fed(tmp_path: Path) -> None:
    """The graph holds addresses, to which new inputs must be written."""
    path = matmul_file(tmp_path / "chain.onnx", width=8, layers=2)
    plain = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shapes = {each.name: [4 if isinstance(size, str) else size for size in each.shape] for each in plain.get_inputs()}
    engine = OnnxRuntimeCudaGraph()
    engine.load(run_spec(path, "device"))
    for seed in range(3):
        random = np.random.default_rng(seed)
        inputs = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        fed = engine.feed(inputs)
        for _ in range(3):  # the first one captures, the others replay
            outputs = engine.run(fed)
        engine.synchronise(outputs)
        (found,) = engine.fetch(outputs).values()
        np.testing.assert_allclose(found, plain.run(None, inputs)[0], atol=1e-5)


@pytest.mark.parametrize("boundary", ["host", "device"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
def test_every_engine_agrees(exported: Callable[[str], Path], boundary: str, precision: str) -> None:
    found = cells(
        Request(str(exported("bert-tiny"))),
        "ort",
        "ort-cuda-graph",
        "torch-eager",
        providers=("cuda",),
        boundaries=(boundary,),
        precisions=(precision,),
    )
    expected = {} if boundary == "device" else {"ort-cuda-graph does not support the boundary host; it supports device"}
    assert set(problems(found).values()) == set(expected)
    ort, torch_eager = found[0]["about"], found[-1]["about"]
    assert ort["provider_options"]["use_tf32"] == ("1" if precision == "tf32" else "0")
    assert ort["placement"]["nodes"][CUDA] > 0.5 * sum(ort["placement"]["nodes"].values())
    assert torch_eager["device"] == "cuda"
    assert all(megabytes > 0 for megabytes in found[0]["memory"]["gpu_mib"])


def test_float16_is_computed_in_float16(exported: Callable[[str], Path]) -> None:
    errors = {
        cell["key"]: cell["parity"]["max_abs_error"]
        for precision in ("fp32", "fp16")
        for cell in cells(
            Request(str(exported("bert-tiny"))), "ort", "torch-eager", providers=("cuda",), precisions=(precision,)
        )
    }
    single = [error for key, error in errors.items() if "fp16" not in key]
    half = [error for key, error in errors.items() if "fp16" in key]
    assert max(single) < 1e-4 < min(half)


def test_text_is_written_on_cuda(exported: Callable[[str], Path]) -> None:
    found = cells(Request(str(exported("gpt2-tiny"))), "ort", "torch-eager", providers=("cuda",))
    assert problems(found) == {}


def test_the_processor_and_the_gpu_are_compared(exported: Callable[[str], Path]) -> None:
    document = benchmark(
        [Request(str(exported("bert-tiny")))], Options(engines=("ort",), providers=("cpu", "cuda")).over(QUICK)
    )
    assert [cell["key"].rsplit(", ", 1)[1] for cell in document["groups"][0]["cells"]] == ["ort", "ort on cuda"]
    assert document["environment"]["before"]["gpus"]


def test_memory_of_the_gpu_is_measured() -> None:
    import torch

    block = torch.ones(64 << 18, device="cuda")  # 64 MiB
    assert (gpu_mib() or 0) > 64
    del block
