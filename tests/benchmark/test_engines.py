"""Every engine returns the outputs of the source, on tiny models, through the whole benchmark. No time is asserted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shapes import SHAPES, make
from tfexport import export_checkpoint
from tfexport.benchmark import Options, Request, benchmark
from tfexport.benchmark.cells import Cell, Setting
from tfexport.benchmark.engines import engines
from tfexport.benchmark.run_spec import Model, RunSpec

QUICK = Options(
    threads=(1,), launches=1, round_s=0.01, time_limit_s=1.0, batch_sizes=(2,), sequence_lengths=(5,), tokens=(6,)
)


def cells(target: Request, *names: str, **options: Any) -> list[dict[str, Any]]:
    """Return every cell of a run."""
    document = benchmark([target], Options(engines=names, **options).over(QUICK))
    json.dumps(document, allow_nan=False)
    return [cell for group in document["groups"] for cell in group["cells"]]


def problems(found: list[dict[str, Any]]) -> dict[str, str]:
    return {cell["key"]: cell["problem"] for cell in found if cell["status"] != "measured"}


@pytest.fixture(scope="session")
def exported(bert: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a BERT from TensorFlow."""
    target = tmp_path_factory.mktemp("benchmark") / "bert"
    export_checkpoint(bert("h5"), target)
    return target


FORWARD = sorted(name for name in engines() if name != "ort-cuda-graph")


def test_no_engine_is_forgotten() -> None:
    assert set(FORWARD) == {"ort", "openvino", "tf-eager", "tf-function", "tf-xla", "torch-eager", "torch-compile"}
    assert set(engines(writes=True)) == {"ort", "ort-merged", "optimum", "tf-eager", "tf-xla", "torch-eager"}


def test_every_engine_runs_an_export_of_tensorflow(exported: Path) -> None:
    found = cells(Request(str(exported)), *FORWARD)
    assert problems(found) == {}
    by_engine = {cell["engine"]: cell["about"] for cell in found}
    assert by_engine["tf-function"]["model_class"] == "TFBertModel"
    assert by_engine["torch-eager"]["threads"] == 1
    assert by_engine["torch-eager"]["attention"] == "sdpa"  # as its users run it, not as it is exported
    assert "float32" in by_engine["openvino"]["precision"]


def test_the_device_boundary(exported: Path) -> None:
    found = cells(Request(str(exported)), "ort", "openvino", "tf-function", "torch-eager", boundaries=("device",))
    assert problems(found) == {}


def test_a_checkpoint_of_pytorch_is_exported_first(bert: Callable[[str], Path]) -> None:
    document = benchmark([Request(str(bert("pt")), "mine", feature="default")], QUICK)
    (target,) = document["targets"]
    assert (target["kind"], target["exported_from"], target["reference"]) == ("checkpoint", "pt", "torch-eager")
    assert target["export_s"] > 0
    assert [cell["engine"] for cell in document["groups"][0]["cells"]] == ["ort", "openvino", "torch-eager"]


def test_lower_precisions_are_stated(exported: Path) -> None:
    found = cells(Request(str(exported)), "ort", "openvino", "torch-eager", "tf-eager", precisions=("bf16",))
    by_engine = {cell["engine"]: cell for cell in found}
    assert by_engine["torch-eager"]["about"]["dtype"] == "torch.bfloat16"
    assert by_engine["torch-eager"]["parity"]["max_abs_error"] > 1e-4  # it does compute in bfloat16
    for refused in ("ort", "tf-eager"):
        assert by_engine[refused]["status"] == "refused"
        assert "does not support the precision bf16" in by_engine[refused]["problem"]


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that exports a tiny text-generation model from TensorFlow, with a cache."""

    def export(shape: str) -> Path:
        folder = tmp_path_factory.mktemp("writer")
        make(SHAPES[shape]).save_pretrained(folder / "source", safe_serialization=False)
        export_checkpoint(folder / "source", folder / shape, feature="auto")
        return folder / shape

    return export


def test_every_engine_writes_the_text_of_a_decoder(writer: Callable[[str], Path]) -> None:
    found = cells(Request(str(writer("gpt2-tiny"))), "ort", "optimum", "tf-xla", "torch-eager", "ort-merged")
    assert list(problems(found).values()) == ["the export has no decoder_model_merged.onnx"]
    first = found[0]
    assert first["summary"]["tokens_per_s"] == pytest.approx(6 * first["summary"]["samples_per_s"], rel=1e-3)
    assert first["parity"]["tokens"] == 12


def test_every_engine_writes_the_text_of_an_encoder_decoder(writer: Callable[[str], Path]) -> None:
    found = cells(Request(str(writer("t5-tiny"))), "ort", "ort-merged", "optimum", "torch-eager", tokens=(1, 4))
    assert problems(found) == {}
    first, later = found[0], found[4]
    assert "tokens_per_s" not in first["summary"]  # the time to the first one
    assert later["summary"]["tokens_per_s"] > 0
    assert later["about"]["encoder_model"]["placement"]["nodes"].keys() == {"CPUExecutionProvider"}


def test_a_model_of_audio_has_no_length(writer: Callable[[str], Path]) -> None:
    found = cells(Request(str(writer("whisper-micro"))), "ort", "ort-merged")
    assert problems(found) == {}
    assert [cell["key"].split(",")[1] for cell in found] == [" 2", " 2"]


def test_compiled_tensorflow_writes_no_single_token(writer: Callable[[str], Path]) -> None:
    """When transformers has fixed it, `check` can be removed."""
    engine = engines(writes=True)["tf-xla"]
    setting = Setting("m", 1, 5, 1, 1, 1, "host", "fp32")
    assert "only one token" in str(engine.check(RunSpec(Model("m"), Cell("tf-xla", "cpu", setting))))
