"""The comparison: every kind of disagreement is found, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfexport.errors import InputsError
from tfexport.validation import Case, CaseReport, OutputReport, Tolerance, ValidationReport, compare, compare_output

CASE = Case(3, 13, padding="right")
TOLERANCE = Tolerance(1e-5)
A = np.linspace(-2, 3, 24, dtype=np.float32).reshape(2, 3, 4)


def _problems(reference: Any, onnx: Any, tolerance: Tolerance = TOLERANCE) -> str:
    return " | ".join(compare(CASE, {"logits": reference}, {"logits": onnx}, tolerance).problems)


def _changed(value: float, at: tuple[int, ...] = (1, 2, 0)) -> np.ndarray:
    copy = A.copy()
    copy[at] = value
    return copy


def test_equal_outputs() -> None:
    report = compare(CASE, {"a": A, "b": A * 2}, {"b": A * 2, "a": A.copy()}, TOLERANCE)
    assert report.problems == ()
    assert [(o.name, o.max_abs_error, o.mean_abs_error, o.shape) for o in report.outputs] == [
        ("a", 0, 0, (2, 3, 4)),
        ("b", 0, 0, (2, 3, 4)),
    ]
    assert report.outputs[1].reference_max == 6
    assert ValidationReport(TOLERANCE, (report,)).passed


def test_one_element_among_many() -> None:
    problem = _problems(A, _changed(float(A[1, 2, 0]) + 0.5))
    assert problem.startswith("[3x13, padded right] logits: differs by 0.5 at (1, 2, 0)")
    assert "7e-05 is allowed" in problem
    assert "4.2% of the elements" in problem


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "1 NaN and 0 infinite of 24"),
        (np.inf, "0 NaN and 1 infinite"),
        (-np.inf, "0 NaN and 1 infinite"),
    ],
)
def test_numbers_that_are_none(value: float, message: str) -> None:
    assert f"the file returns {message}" in _problems(A, _changed(value))
    assert f"the source itself returns {message}" in _problems(_changed(value), A)
    assert _problems(_changed(value), _changed(value)) == ""  # the source has it at the very same place
    assert "the source itself" in _problems(_changed(value), _changed(value, (0, 0, 0)))
    assert "nothing can be compared" in _problems(np.full_like(A, value), np.full_like(A, value))


def test_infinities_of_another_sign() -> None:
    assert "the source itself" in _problems(_changed(np.inf), _changed(-np.inf))


def test_what_is_measured() -> None:
    logits = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0], [7.0, 0.5, 0.0, 2.0, 1.0, 3.0, 4.0]], np.float32)
    other = logits.copy()
    other[0, 5] = 4.5
    (told,) = compare(CASE, {"logits": logits}, {"logits": other}, TOLERANCE).outputs
    assert (told.max_abs_error, told.worst) == (1.5, (0, 5))
    assert told.max_rel_error == pytest.approx(0.25)
    assert told.p99_abs_error == pytest.approx(np.percentile(np.abs(logits - other), 99))
    assert (told.same_first, told.same_five) == (0.5, 1.0)
    expected = float((logits * other).sum() / np.linalg.norm(logits) / np.linalg.norm(other))
    assert told.cosine == pytest.approx(expected, abs=1e-6)
    (plain,) = compare(CASE, {"states": logits}, {"states": other}, TOLERANCE).outputs
    assert (plain.same_first, plain.same_five) == (None, None)


def test_a_report_is_json_and_what_was_not_measured_is_null() -> None:
    told = compare(CASE, {"a": A, "b": A}, {"a": _changed(9.0), "b": A[0]}, TOLERANCE).outputs
    measured, nothing = (json.loads(json.dumps(each.as_dict(), allow_nan=False)) for each in told)
    assert (measured["max_abs_error"], measured["worst"], measured["shape"]) == (
        9 - float(A[1, 2, 0]),
        [1, 2, 0],
        [2, 3, 4],
    )
    assert set(measured) == {each.name for each in dataclasses.fields(OutputReport)}
    assert {name for name, value in nothing.items() if value is None} == {
        *("max_abs_error", "mean_abs_error", "p99_abs_error", "max_rel_error", "cosine"),
        *("same_first", "same_five", "worst"),
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (A[:, :, :3], "shape (2, 3, 3), expected (2, 3, 4)"),
        (A[0], "shape (3, 4), expected (2, 3, 4)"),
        (A[None], "shape (1, 2, 3, 4), expected (2, 3, 4)"),
        (A[:1], "shape (1, 3, 4)"),  # it would broadcast
        (A.astype(np.float64), "dtype float64, expected float32"),
        (A.astype(np.float16), "dtype float16, expected float32"),
        (A.astype(np.int64), "dtype int64, expected float32"),
    ],
)
def test_shape_and_dtype(other: np.ndarray, message: str) -> None:
    assert message in _problems(A, other)


def test_nothing_to_compare() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert "empty: nothing was compared" in _problems(empty, empty)
    assert not ValidationReport(TOLERANCE, ()).passed
    assert not ValidationReport(TOLERANCE, (CaseReport(CASE, ()),)).passed
    assert not ValidationReport(TOLERANCE, problem="no session").passed
    assert np.isnan(ValidationReport(TOLERANCE).max_abs_error)


def test_missing_and_extra_outputs() -> None:
    missing = compare(CASE, {"a": A, "b": A}, {"a": A}, TOLERANCE)
    assert missing.problems == (
        "[3x13, padded right] outputs missing from the file: ['b']; outputs only in the file: none",
    )
    extra = compare(CASE, {"a": A}, {"a": A, "c": A}, TOLERANCE)
    assert "outputs missing from the file: none; outputs only in the file: ['c']" in extra.problems[0]
    assert not any(ValidationReport(TOLERANCE, (report,)).passed for report in (missing, extra))


def test_every_output_and_every_case_is_reported() -> None:
    wrong = A + 1
    first = compare(CASE, {"a": A, "b": A, "c": A}, {"a": wrong, "b": A, "c": wrong}, TOLERANCE)
    second = compare(Case(1, 1), {"a": A}, {"a": wrong}, TOLERANCE)
    report = ValidationReport(TOLERANCE, (first, second))
    assert [problem.split(":")[0] for problem in report.problems] == [
        "[3x13, padded right] a",
        "[3x13, padded right] c",
        "[1x1] a",
    ]
    assert report.max_abs_error == pytest.approx(1)
    assert not report.passed


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.bool_, np.uint8])
def test_whole_numbers_are_equal_or_not(dtype: Any) -> None:
    reference = np.array([0, 1, 1], dtype)
    assert _problems(reference, reference.copy(), Tolerance(10, 10)) == ""
    assert "differs by 1" in _problems(reference, np.array([0, 1, 0], dtype), Tolerance(0.5, 0.5))
    assert "differs by 1" in _problems(reference, np.array([0, 1, 0], dtype), Tolerance(10, 10))


@pytest.mark.parametrize(
    ("reference", "difference", "tolerance", "agrees"),
    [
        ([0, 0, 100], 1.0, Tolerance(0, 0.01), True),  # relative to the largest of the output, also where it is zero
        ([0, 0, 100], 1.01, Tolerance(0, 0.01), False),
        ([0, 0, -100], 1.0, Tolerance(0, 0.01), True),
        ([0, 0, 0], 0.5, Tolerance(0.5, 0.9), True),
        ([0, 0, 0], 0.51, Tolerance(0.5, 0.9), False),
        ([0, 0, 100], 1.5, Tolerance(0.5, 0.01), True),  # the two add up
        ([0, 0, 100], 1.51, Tolerance(0.5, 0.01), False),
        ([0, 0, 100], 0.0, Tolerance(0, 0), True),
        ([0, 0, 100], 1e-12, Tolerance(0, 0), False),
    ],
)
def test_tolerance(reference: list[float], difference: float, tolerance: Tolerance, agrees: bool) -> None:
    expected = np.array(reference, np.float32)
    found = expected + np.array([difference, 0, 0], np.float32)
    assert (_problems(expected, found, tolerance) == "") == agrees


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf"), float("-inf")])
def test_tolerances_that_make_no_sense(value: float) -> None:
    with pytest.raises(InputsError, match=r"atol is .*; expected a finite number"):
        Tolerance(value)
    with pytest.raises(InputsError, match=r"rtol is"):
        Tolerance(1e-5, value)


FLOATS = st.floats(-1e6, 1e6, width=32)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=5)


@given(
    reference=arrays.arrays(np.float32, SHAPES, elements=FLOATS),
    atol=st.floats(0, 10),
    rtol=st.floats(0, 0.1),
    data=st.data(),
)
def test_a_perturbation_is_found_if_and_only_if_it_exceeds_what_is_allowed(
    reference: np.ndarray, atol: float, rtol: float, data: st.DataObject
) -> None:
    """Against the definition, in double precision: |onnx - reference| <= atol + rtol * max|reference|."""
    at = tuple(data.draw(st.integers(0, length - 1)) for length in reference.shape)
    factor = data.draw(st.sampled_from([0, 0.5, 0.999, 1.001, 1.5, 100]) | st.floats(0, 3))
    allowed = atol + rtol * max(abs(float(element)) for element in reference.ravel())
    onnx = reference.copy()
    onnx[at] += np.float32(data.draw(st.sampled_from([-1, 1])) * factor * allowed)
    difference = abs(float(onnx[at]) - float(reference[at]))
    report = compare(CASE, {"x": reference}, {"x": onnx}, Tolerance(atol, rtol))
    assert bool(report.problems) == (difference > allowed)
    assert report.outputs[0].max_abs_error == difference
    assert report.outputs[0].mean_abs_error == pytest.approx(difference / reference.size)


@given(
    reference=arrays.arrays(np.float32, SHAPES, elements=FLOATS),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    data=st.data(),
)
def test_no_tolerance_lets_nan_pass(reference: np.ndarray, bad: float, data: st.DataObject) -> None:
    at = tuple(data.draw(st.integers(0, length - 1)) for length in reference.shape)
    onnx = reference.copy()
    onnx[at] = bad
    assert compare(CASE, {"x": reference}, {"x": onnx}, Tolerance(1e30, 1e30)).problems
    assert compare(CASE, {"x": onnx}, {"x": reference}, Tolerance(1e30, 1e30)).problems


@pytest.mark.parametrize(
    ("dtype", "error", "agrees"),
    [
        ("float32", 3e-5, True),
        ("float32", 2e-3, False),
        ("float16", 2e-3, True),
        ("float16", 1e-2, False),
        ("float64", 1e-8, True),
        ("float64", 1e-6, False),
    ],
)
def test_tolerance_is_of_the_dtype(dtype: str, error: float, agrees: bool) -> None:
    """The default tolerance, at a magnitude of 1.5: 4e-5 in float32."""
    reference = np.full(4, 1.5, dtype)
    found = (reference.astype(np.float64) + error).astype(dtype)
    assert (compare_output("x", reference, found, Tolerance(1e-5)).problem is None) == agrees
