"""Which provider computes what, and what is refused. Sessions of GPUs are described as ONNX Runtime describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from benchmarks.calibration import matmul_file
from tfexport.benchmark.cells import Cell, Setting
from tfexport.benchmark.engines.onnx_runtime import Session
from tfexport.benchmark.run_spec import Model, RunSpec
from tfexport.errors import PlacementError, ProviderError
from tfexport.runtime.names import CPU, provider_name, short_name
from tfexport.runtime.node_assignment import assignment_of

CUDA = "CUDAExecutionProvider"
OFFERED = ("TensorrtExecutionProvider", CUDA, CPU)


@dataclass
class Assigned:
    """As ``OrtEpAssignedNode``."""

    op_type: str
    domain: str = ""
    name: str = "a node"


@dataclass
class Part:
    """As ``OrtEpAssignedSubgraph``."""

    ep_name: str
    nodes: list[Assigned] = field(default_factory=list)

    def get_nodes(self) -> list[Assigned]:
        return self.nodes


def placed(asked: str, **ops: list[str]) -> Any:
    return assignment_of(
        asked, [Part(f"{name}ExecutionProvider", [Assigned(op) for op in found]) for name, found in ops.items()]
    )


@pytest.mark.parametrize("name", ["cuda", "CUDA", "CUDAExecutionProvider"])
def test_a_provider_has_several_spellings(name: str) -> None:
    assert provider_name(name, OFFERED) == CUDA
    assert short_name(CUDA) == "cuda"


def test_cuda_without_cuda_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(
        ProviderError, match=r"'cuda' was asked for.* offers cpu.*another one in its place.*tfexport\[gpu\]"
    ):
        provider_name("cuda", (CPU,))


def test_nodes_that_compute_on_the_cpu_are_named() -> None:
    found = placed(CUDA, CUDA=["MatMul", "Softmax", "Add"], CPU=["Shape", "Gather", "Erf"])
    assert (found.by_provider, found.share) == ({CUDA: 3, CPU: 3}, 0.5)
    with pytest.raises(
        PlacementError, match=r"1 of 6 nodes compute on the CPU though CUDAExecutionProvider.*Erf \(a node\)"
    ):
        found.check()


def test_shapes_may_be_computed_on_the_cpu() -> None:
    placed(CUDA, CUDA=["MatMul"], CPU=["Shape", "Gather", "Concat", "Unsqueeze", "Cast"]).check()


def test_an_op_of_another_domain_computes() -> None:
    found = assignment_of(CUDA, [Part(CPU, [Assigned("Gather"), Assigned("Attention", "com.microsoft")])])
    assert [node.op for node in found.fallen_back] == ["com.microsoft.Attention"]


def test_copies_are_counted() -> None:
    assert placed(CUDA, CUDA=["MatMul", "MemcpyToHost", "MemcpyFromHost"]).copies == 2


def test_on_the_cpu_nothing_falls_back() -> None:
    placed(CPU, CPU=["MatMul", "Erf"]).check()


def run_spec(path: Path, provider: str) -> RunSpec:
    setting = Setting("chain", 1, None, 0, 1, 1, "host", "fp32")
    return RunSpec(Model("chain", {"chain": path}), Cell("ort", provider, setting))


def test_a_session_proves_its_placement(tmp_path: Path) -> None:
    found = Session(matmul_file(tmp_path / "chain.onnx", width=8, layers=3), run_spec(tmp_path / "chain.onnx", "cpu"))
    assert found.assignment.by_provider == {CPU: 6}
    assert found.assignment.as_dict()["ops"] == {"MatMul": 3, "Softsign": 3}
    assert found.describe()["intra_op_num_threads"] == 1


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this ONNX Runtime offers CUDA")
def test_a_session_on_cuda_is_refused_here(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="'cuda' was asked for"):
        Session(matmul_file(tmp_path / "chain.onnx", width=8), run_spec(tmp_path / "chain.onnx", "cuda"))
