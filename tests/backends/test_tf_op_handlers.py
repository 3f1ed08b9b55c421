"""The registry of op handlers: one owner per op, and the opsets of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tests.backends.test_tensorflow import converted, run  # noqa: E402
from tfexport.backends.tensorflow import ops  # noqa: E402
from tfexport.backends.tensorflow.conversion import HIGHEST_OPSET  # noqa: E402
from tfexport.backends.tensorflow.op_handler import LOWEST_OPSET, Handler  # noqa: E402
from tfexport.backends.tensorflow.ops import bias_add, erfc, select  # noqa: E402
from tfexport.errors import OpsetError  # noqa: E402


def _keeps(graph: Any, node: Any) -> None:
    node.converted_by = "convert"


def _keeps_below(graph: Any, node: Any) -> None:
    node.converted_by = "below"


def _node() -> SimpleNamespace:
    return SimpleNamespace(type="Erfc", name="encoder/Erfc", converted_by=None)


class TestRegistry:
    def test_two_modules_with_a_handler_for_one_op_are_an_error(self) -> None:
        second = SimpleNamespace(__name__="ops.second", HANDLERS={"Erfc": Handler(_keeps)})
        with pytest.raises(ValueError, match=r"ops\.erfc and ops\.second both have a handler for Erfc: remove one"):
            ops.collected([erfc, second])

    def test_modules_with_different_ops_are_all_collected(self) -> None:
        assert set(ops.collected([erfc, select, bias_add])) == {"Erfc", "Select", "SelectV2", "BiasAdd", "BiasAddV1"}

    def test_every_handler_supports_an_opset_that_the_backend_writes(self) -> None:
        for op_type, (handler, _) in ops.HANDLERS.items():
            assert LOWEST_OPSET <= handler.since_opset <= HIGHEST_OPSET, op_type


class TestOpsets:
    @pytest.mark.parametrize(("opset", "expected"), [(11, "below"), (12, "convert"), (13, "convert")])
    def test_the_other_handler_converts_at_lower_opsets(self, opset: int, expected: str) -> None:
        node = _node()
        Handler(_keeps, since_opset=12, below=_keeps_below)(SimpleNamespace(opset=opset), node, node.name, [])
        assert node.converted_by == expected

    def test_without_another_handler_a_lower_opset_is_an_error(self) -> None:
        node = _node()
        with pytest.raises(OpsetError, match=r"^Erfc in encoder/Erfc needs opset 12 or higher; 11 was requested\."):
            Handler(_keeps, since_opset=12)(SimpleNamespace(opset=11), node, node.name, [])
        assert node.converted_by is None

    @pytest.mark.parametrize("opset", [LOWEST_OPSET, HIGHEST_OPSET])
    def test_a_select_of_rows_is_what_tensorflow_computes(self, opset: int) -> None:
        """The first version of Select accepts a vector that chooses rows."""
        condition, x, y = np.array([True, False]), np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
        specs = [
            tf.TensorSpec([None], tf.bool, name="condition"),
            *(tf.TensorSpec([None, 3], tf.float32, name=name) for name in ("x", "y")),
        ]
        graph = converted(lambda condition, x, y: tf.raw_ops.Select(condition=condition, x=x, y=y), *specs, opset=opset)
        expected = tf.raw_ops.Select(condition=condition, x=x, y=y).numpy()
        np.testing.assert_array_equal(run(graph, condition=condition, x=x, y=y)[0], expected)
