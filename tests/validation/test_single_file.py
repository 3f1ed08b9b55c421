"""Validation finds each fault planted in a file, and finds none in the file as it should be.

The source is a look-up of two tables, in NumPy; the file is the same in ONNX, written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest

import tfexport
from conformance.zoo.tiny import tiny_config
from tfexport.graph.contract import Contract, contract_of
from tfexport.validation import Case, Tolerance, ValidationReport, case_inputs, standard_cases, validate_file

RANDOM = np.random.default_rng(0)
START, END = (RANDOM.normal(size=99).astype(np.float32) for _ in range(2))
AXES = {0: "batch", 1: "sequence"}
BODY = """
<ir_version: 8, opset_import: ["" : 18]>
tables (int64[batch, sequence] input_ids, int64[batch, sequence] attention_mask)
    => (float[batch, sequence] start_logits, float[batch, sequence] end_logits) <float[99] start, float[99] end>
{
    mask = Cast <to = 1> (attention_mask)
    s = Gather (start, input_ids)
    e = Gather (end, input_ids)
    start_logits = Mul (s, mask)
    end_logits = Mul (e, mask)
}
"""


class Tables(tfexport.OnnxConfig):
    inputs = {"input_ids": AXES, "attention_mask": AXES}


CONFIG = Tables(tiny_config("bert"), task="question-answering")


def _source(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    mask = inputs["attention_mask"].astype(np.float32)
    return {
        "start_logits": START[inputs["input_ids"]] * mask,
        "end_logits": END[inputs["input_ids"]] * mask,
        "undeclared": mask,
    }


def _contract() -> Contract:
    inputs = case_inputs(CONFIG, None, None, "np")
    return contract_of(CONFIG, inputs, _source(inputs))


def _file(folder: Path, body: str = BODY, start: np.ndarray = START, end: np.ndarray = END) -> Path:
    model = onnx.parser.parse_model(body)
    del model.graph.initializer[:]
    for name, values in (("start", start), ("end", end)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


@dataclass(frozen=True)
class _Tables:
    """A source: a declaration, and a function."""

    config: tfexport.OnnxConfig = CONFIG
    reference: Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]] = _source

    def inputs(self, case: Case) -> Mapping[str, Any]:
        return case_inputs(self.config, None, case, "np")

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        return self.reference(inputs)


def _validate(path: Path, contract: Contract | None = None, cases: Any = None, **source: Any) -> ValidationReport:
    return validate_file(
        path, _Tables(**source), standard_cases(CONFIG) if cases is None else cases, Tolerance(1e-6), contract=contract
    )


def _failing_cases(report: ValidationReport) -> list[str]:
    return [case.case.name for case in report.cases if case.problems]


def test_no_fault(tmp_path: Path) -> None:
    report = _validate(_file(tmp_path), _contract())
    assert report.passed
    assert report.problems == ()
    assert report.max_abs_error == 0
    assert len(report.cases) == 5
    assert {output.name for case in report.cases for output in case.outputs} == {"start_logits", "end_logits"}


def test_a_changed_weight(tmp_path: Path) -> None:
    ids = {
        case: set(case_inputs(CONFIG, None, case, "np")["input_ids"].ravel().tolist())
        for case in standard_cases(CONFIG)
    }
    token = min(ids[Case(5, 11)] - set.union(*(found for case, found in ids.items() if case != Case(5, 11))))
    changed = END.copy()
    changed[token] += 1e-3
    report = _validate(_file(tmp_path, end=changed), _contract())
    assert _failing_cases(report) == ["5x11"]
    (problem,) = report.problems
    assert "end_logits: differs by 0.001" in problem


def test_swapped_outputs(tmp_path: Path) -> None:
    report = _validate(_file(tmp_path, start=END, end=START), _contract())
    assert len(_failing_cases(report)) == 5
    body = BODY.replace(
        "start_logits, float[batch, sequence] end_logits", "end_logits, float[batch, sequence] start_logits"
    )
    assert "the file's outputs are end_logits" in str(_validate(_file(tmp_path, body), _contract()).problem)


def test_an_extra_output(tmp_path: Path) -> None:
    body = BODY.replace("end_logits) <", "end_logits, float[batch, sequence] mask) <")
    assert "mask float32" in str(_validate(_file(tmp_path, body), _contract()).problem)
    without_contract = _validate(_file(tmp_path, body))
    assert len(_failing_cases(without_contract)) == 5
    assert "only in the file: ['mask']" in without_contract.problems[0]


def test_a_missing_output(tmp_path: Path) -> None:
    body = BODY.replace(", float[batch, sequence] end_logits) <", ") <")
    assert "declared were start_logits" in str(_validate(_file(tmp_path, body), _contract()).problem)
    assert "missing from the file: ['end_logits']" in _validate(_file(tmp_path, body)).problems[0]


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("int64[batch, sequence] input_ids", "int64[n, sequence] input_ids", "['n', 'sequence']"),
        ("int64[batch, sequence] input_ids", "int64[batch, 8] input_ids", "['batch', 8]"),
        ("float[batch, sequence] start_logits", "float[batch, other] start_logits", "['batch', 'other']"),
        ("int64[batch, sequence] input_ids", "int32[batch, sequence] input_ids", "input_ids int32"),
    ],
)
def test_an_axis_or_a_dtype_that_was_not_declared(old: str, new: str, shown: str, tmp_path: Path) -> None:
    report = _validate(_file(tmp_path, BODY.replace(old, new)), _contract())
    assert not report.passed
    assert shown in str(report.problem)
    assert report.cases == ()


def test_inputs_in_another_order(tmp_path: Path) -> None:
    old = "int64[batch, sequence] input_ids, int64[batch, sequence] attention_mask"
    new = "int64[batch, sequence] attention_mask, int64[batch, sequence] input_ids"
    assert "the file's inputs are attention_mask" in str(
        _validate(_file(tmp_path, BODY.replace(old, new)), _contract()).problem
    )


def test_a_mask_that_is_not_looked_at_shows_where_rows_are_padded(tmp_path: Path) -> None:
    body = BODY.replace("Mul (s, mask)", "Identity (s)")
    assert _failing_cases(_validate(_file(tmp_path, body), _contract())) == ["3x13, padded right", "2x7, padded left"]


def test_a_shape_that_was_baked_in(tmp_path: Path) -> None:
    body = BODY.replace(
        "start_logits = Mul (s, mask)",
        "shape = Constant <value_ints = [-1, 7]> ()  flat = Mul (s, mask)  start_logits = Reshape (flat, shape)",
    )
    assert "start_logits float32['batch', 7]" in str(_validate(_file(tmp_path, body), _contract()).problem)
    report = _validate(_file(tmp_path, body))
    assert set(_failing_cases(report)) == {"1x1", "1x16", "3x13, padded right", "5x11"}
    assert "ONNX Runtime fails" in report.problems[0]


def test_infinities(tmp_path: Path) -> None:
    body = BODY.replace("start_logits = Mul (s, mask)", "l = Log (mask)  start_logits = Add (s, l)")
    report = _validate(_file(tmp_path, body), _contract())
    assert any("infinite" in problem for problem in report.problems)


@pytest.mark.parametrize(
    "ruin",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-40]),
        lambda file: file.write_bytes(b"not a protobuf at all"),
        lambda file: file.write_bytes(file.read_bytes().replace(b"Gather", b"Garble")),
    ],
)
def test_a_file_that_does_not_load(ruin: Any, tmp_path: Path) -> None:
    file = _file(tmp_path)
    ruin(file)
    report = _validate(file, _contract())
    assert not report.passed
    assert str(report.problem).startswith("ONNX Runtime does not load the file")


def test_a_source_without_a_declared_output(tmp_path: Path) -> None:
    report = _validate(_file(tmp_path), reference=lambda inputs: {"start_logits": _source(inputs)["start_logits"]})
    assert len(_failing_cases(report)) == 5
    assert "the source does not return end_logits" in report.problems[0]


def test_a_source_that_gives_nan_proves_nothing(tmp_path: Path) -> None:
    nan = np.full_like(START, np.nan)
    report = _validate(
        _file(tmp_path, start=nan),
        reference=lambda inputs: _source(inputs) | {"start_logits": nan[inputs["input_ids"]]},
    )
    assert not report.passed
    assert "the source itself returns" in report.problems[0]


def test_the_inputs_of_the_file_may_be_made_from_those_of_the_model(tmp_path: Path) -> None:
    class Renamed(Tables):
        def generate_dummy_inputs_onnxruntime(self, reference_model_inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            made = dict(reference_model_inputs)
            return {"tokens": made["input_ids"].astype(np.int32), "attention_mask": made["attention_mask"]}

    config = Renamed(tiny_config("bert"), task="question-answering")
    file = _file(tmp_path, BODY.replace("input_ids", "tokens"))
    assert _validate(file, config=config).passed
    assert not _validate(file).passed


def test_a_cache_is_fed_under_its_flat_names(tmp_path: Path) -> None:
    class WithPast(tfexport.OnnxConfigWithPast):
        inputs = {"input_ids": AXES, "past_key_values.0.key": {0: "batch"}, "past_key_values.0.value": {0: "batch"}}
        outputs = {"last_hidden_state": AXES}

        def generate_dummy_inputs(self, preprocessor: Any = None, *_: Any, **arguments: Any) -> Any:
            ids = np.full((arguments["batch_size"], arguments["seq_length"]), 3)
            return {"input_ids": ids, "past_key_values": [(np.array([[10]], np.float32), np.array([[4]], np.float32))]}

    body = """
    <ir_version: 8, opset_import: ["" : 18]>
    g (int64[b, s] input_ids, float[p, q] past_key_values_0_key, float[p, q] past_key_values_0_value)
        => (float[b, s] last_hidden_state)
    {
        x = Cast <to = 1> (input_ids)
        y = Mul (x, past_key_values_0_key)
        last_hidden_state = Sub (y, past_key_values_0_value)
    }
    """
    model = onnx.parser.parse_model(body)
    for part in (model.graph.input[1], model.graph.input[2]):
        dotted = part.name.replace("values_0_", "values.0.")
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                node.input[index] = dotted if name == part.name else name
        part.name = dotted
    onnx.save(model, tmp_path / "model.onnx")
    config = WithPast(tiny_config("bert"), use_past=True)

    def source(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        ((key, value),) = inputs["past_key_values"]
        return {"last_hidden_state": inputs["input_ids"].astype(np.float32) * key - value}

    report = _validate(tmp_path / "model.onnx", config=config, reference=source, cases=[Case(2, 5), Case(1, 1)])
    assert report.passed, report.problems
