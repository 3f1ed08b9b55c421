"""Options, suites, engines and ONNX files of others: an odd value is one error, before anything is measured."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests import hostile_onnx
from tfexport.benchmark import benchmark
from tfexport.benchmark.api import axes_of
from tfexport.benchmark.arguments import as_requests, numbers
from tfexport.benchmark.engines import engine
from tfexport.benchmark.engines.onnx_runtime import OnnxRuntime
from tfexport.benchmark.engines.pytorch import PyTorchEager
from tfexport.benchmark.graph_facts import LARGEST_INPUTS, check_size, facts, random_inputs, read
from tfexport.benchmark.processes import FRAMEWORK_S, patience_s
from tfexport.benchmark.run_spec import Model
from tfexport.benchmark.suite import Options, read_suite
from tfexport.benchmark.targets import Request, open_target
from tfexport.errors import BenchmarkError, CorruptCheckpointError, InputsError, TfExportError, UnknownEngineError

ODD: tuple[Any, ...] = (
    0, -1, 0.5, float("nan"), float("inf"), 10**12, 10**400, True, "text", b"bytes", [0], [-1], [True], [1.5], [10**12], ["\x1b"],
    [[1]], {}, {"a": 1}, object(), np.ones(3),
)  # fmt: skip
LISTS_OF_TEXTS = {"engines", "providers", "boundaries", "precisions", "threads"}


@pytest.mark.parametrize("name", [each.name for each in fields(Options)])
def test_an_odd_option(name: str) -> None:
    for odd in ODD:
        values: dict[str, Any] = {name: odd}
        if name in LISTS_OF_TEXTS and isinstance(odd, list) and isinstance(odd[0], str):
            Options(**values)  # its texts are compared with those that are known, later
        elif name in ("round_s", "time_limit_s") and type(odd) in (int, float) and odd in (0.5, 10**12):
            Options(**values)
        else:
            with pytest.raises(InputsError, match="expected") as caught:
                Options(**values)
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 500


def test_a_list_of_numpys_is_a_list() -> None:
    values: dict[str, Any] = {"batch_sizes": np.array([1, 8]), "time_limit_s": np.float32(5)}
    assert (Options(**values).batch_sizes, Options(**values).time_limit_s) == ((1, 8), 5.0)


@pytest.mark.parametrize("name", [each.name for each in fields(Request)])
def test_an_odd_request(name: str) -> None:
    for odd in (5, -1, True, b"x", [], [1], {"a": 0}, {"a": -1}, {"a": 2**40}, {"a": "b"}, {5: 1}, "a\0b", object()):
        if isinstance(odd, str) and name in ("feature", "model_type"):
            continue  # no model has it: an error of the checkpoint's, later
        values: dict[str, Any] = {"path": "model.onnx", name: odd}
        with pytest.raises(TfExportError):
            Request(**values)


@pytest.mark.parametrize("name", ["../x", "/x", "..", "a/b", "n" * 300, "a\0b"])
def test_a_name_that_no_folder_can_have(name: str) -> None:
    with pytest.raises(InputsError, match="a name without a slash"):
        Request("model.onnx", name)


@pytest.mark.parametrize(
    ("path", "called"),
    [("out/model.onnx", "model"), ("..", Path("..").resolve().name), ("/", "root"), ("a/b", "b")],
)
def test_the_name_of_a_path(path: str, called: str) -> None:
    assert Request(path).called == called


@pytest.mark.parametrize(
    "targets", [None, 5, "model.onnx", b"x", Path("x"), Request("x"), [5], [None], [b"x"], [("x", 5)], [], ["a\0b"]]
)
def test_odd_targets(targets: Any) -> None:
    with pytest.raises(InputsError):
        benchmark(targets)


@pytest.mark.parametrize("more", [{"options": 5}, {"options": {}}, {"name": 5}, {"folder": 5}, {"folder": "a\0b"}])
def test_odd_keywords(more: dict[str, Any]) -> None:
    with pytest.raises(InputsError):
        benchmark(["model.onnx"], **more)


@pytest.mark.parametrize("text", ["9" * 5000, "1.5", "one", "1,,x", "²"])
def test_odd_numbers_of_the_command_line(text: str) -> None:
    with pytest.raises(InputsError, match="Expected whole numbers") as caught:
        numbers("--batch-sizes", text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("axis", ["x=²", f"x={2**40}", f"x={'9' * 5000}", "x=-1", "x=1.5", "x= 1"])
def test_odd_axes_of_the_command_line(axis: str) -> None:
    with pytest.raises(InputsError) as caught:
        as_requests(["m.onnx"], "auto", None, None, [axis])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["engines", "batch_sizes", "streams", "providers", "threads", "tokens"])
def test_an_empty_list(name: str, tmp_path: Path) -> None:
    target = open_target(
        Request(str(hostile_onnx.write(hostile_onnx.sound(), tmp_path / "m.onnx"))), tmp_path, lambda _: None
    )
    values: dict[str, Any] = {name: ()}
    with pytest.raises(InputsError, match="is empty"):
        axes_of(target, Options(**values))


@pytest.mark.parametrize("threads", ["0", "-1", "1000000000", "9" * 5000, "some", "1.5", "²"])
def test_odd_threads(threads: str, tmp_path: Path) -> None:
    target = open_target(
        Request(str(hostile_onnx.write(hostile_onnx.sound(), tmp_path / "m.onnx"))), tmp_path, lambda _: None
    )
    with pytest.raises(InputsError, match="is not a number of threads"):
        axes_of(target, Options(threads=(threads,)))


SUITES = (
    "[[targets]]\npath = 5", "[[targets]]\npath = []", '[[targets]]\npath = "x"\nname = 5', '[[targets]]\npath = "x"\naxes = 5',
    '[[targets]]\npath = "x"\naxes = {a = -1}', '[[targets]]\npath = "x"\nreference = []',
    '[[targets]]\npath = "x"\nframework = "jax"',
    '[[targets]]\npath = "x"\nfeature = 5', '[[targets]]\npath = "a\\u0000b"', "targets = 5", "targets = [5]", "name = 5",
    "a = " + "[" * 100_000, "engines = [5]", "batch_sizes = [true]", "batch_sizes = [0]", "batch_sizes = [1.5]", "launches = 0",
    "launches = 1.5", "time_limit_s = nan", "time_limit_s = inf", "round_s = -1", "streams = [99999999]",
    "threads = [1000000000]",
    'tokens = ["one"]', '"\\u001b]0;x" = 5', "providers = [[]]", "launches = 1979-05-27",
)  # fmt: skip


@pytest.mark.parametrize("text", SUITES, ids=lambda text: text[:40])
def test_an_odd_suite(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(TfExportError, match=r"mine\.toml") as caught:
        read_suite(tmp_path / "mine.toml")
    assert str(caught.value).isprintable()


def test_a_suite_that_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "fifo", Path("/dev/zero"), tmp_path / "bytes"):
        with pytest.raises(InputsError, match="is not a suite that can be read"):
            read_suite(path)


@pytest.mark.parametrize(
    "name",
    [
        ":",
        ".x:y",
        "a:",
        ":b",
        "nowhere:X",
        "os:path",
        "raises:X",
        "broken:X",
        "exits:X",
        "bare:Bare",
        "a.b",
        "x" * 100_000,
    ],
)
def test_an_engine_that_is_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raises.py").write_text("raise ValueError('boom')")
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "exits.py").write_text("raise SystemExit(0)")
    (tmp_path / "bare.py").write_text("from tfexport.benchmark import Engine\nclass Bare(Engine): pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownEngineError) as caught:
        engine(name)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", hostile_onnx.BYTES)
def test_a_file_that_is_not_a_model(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(hostile_onnx.BYTES[name])
    with pytest.raises(CorruptCheckpointError, match="not an ONNX file"):
        open_target(Request(str(tmp_path / "m.onnx")), tmp_path, lambda _: None)


def test_a_path_that_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.onnx")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    (tmp_path / "big.onnx").touch()
    os.truncate(tmp_path / "big.onnx", 2**40)
    for name in ("fifo", "zero", "big"):
        with pytest.raises(CorruptCheckpointError, match="is not an ONNX file that can be read"):
            open_target(Request(str(tmp_path / f"{name}.onnx")), tmp_path, lambda _: None)


@pytest.mark.parametrize("name", hostile_onnx.BROKEN)
def test_facts_of_a_model_that_no_runtime_accepts(name: str, tmp_path: Path) -> None:
    """They are read without running anything; ONNX Runtime refuses the file in a process of its own."""
    assert facts(read(hostile_onnx.write(hostile_onnx.BROKEN[name](), tmp_path / "m.onnx")))["nodes"] >= 1


TENSOR = helper.make_tensor_value_info
INPUTS: dict[str, tuple[onnx.ValueInfoProto, type[Exception], str]] = {
    "2**40 elements": (TENSOR("x", TensorProto.FLOAT, ["batch", 2**40]), InputsError, "would have"),
    "no end": (TENSOR("x", TensorProto.FLOAT, [2**62, 2**62]), InputsError, "would have"),
    "-5 elements": (TENSOR("x", TensorProto.FLOAT, [-5]), CorruptCheckpointError, "the shape"),
    "texts": (TENSOR("x", TensorProto.STRING, [1]), InputsError, "only for integers"),
    "no dtype": (TENSOR("x", 999, [1]), InputsError, "dtype number 999"),
    "no type": (onnx.ValueInfoProto(name="x"), InputsError, "is not a tensor"),
    "a sequence": (helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None), InputsError, "sequence_type"),
    "a long name": (TENSOR("x", TensorProto.FLOAT, ["a" * 100_000]), InputsError, "--axis"),
    "an escape": (TENSOR("x", TensorProto.FLOAT, ["\x1b]0;x\x07"]), InputsError, "--axis"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_that_cannot_be_drawn(name: str, tmp_path: Path) -> None:
    value, error, message = INPUTS[name]
    made = hostile_onnx.sound()
    made.graph.input[0].CopyFrom(value)
    with pytest.raises(error, match=message) as caught:
        random_inputs(read(hostile_onnx.write(made, tmp_path / "m.onnx")), 1, None, {})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


def test_the_size_of_inputs() -> None:
    check_size(LARGEST_INPUTS)
    with pytest.raises(InputsError, match="at most 1,073,741,824 are measured"):
        check_size(LARGEST_INPUTS + 1)


def test_patience_with_files_of_others(tmp_path: Path) -> None:
    file = hostile_onnx.write(hostile_onnx.sound(), tmp_path / "m.onnx")
    model = Model("m", {"m": file})
    assert patience_s(OnnxRuntime, model, 4.0) == pytest.approx(60, abs=0.1)
    assert patience_s(OnnxRuntime, model, 110.0) == pytest.approx(110, abs=0.1)
    assert patience_s(PyTorchEager, model, 4.0) == FRAMEWORK_S
    (tmp_path / "m.onnx_data").write_bytes(bytes(10_000_000))
    assert patience_s(OnnxRuntime, model, 4.0) == pytest.approx(61, abs=0.1)


def test_a_loop_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfexport.benchmark import processes

    monkeypatch.setattr(processes, "_LEAST_S", 5.0)
    file = hostile_onnx.write(hostile_onnx.endless(), tmp_path / "m.onnx")
    options = Options(engines=("ort",), batch_sizes=(1,), launches=1, time_limit_s=1.0)
    with pytest.raises(BenchmarkError, match=r"the reference, ort, failed on m: its process did not answer within 5 s"):
        benchmark([str(file)], options)
