"""The weight-free conversion of small functions, compared with TensorFlow itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.tensorflow import patches  # noqa: E402
from tfexport.backends.tensorflow.conversion import convert_function  # noqa: E402
from tfexport.backends.tensorflow.graph_def import LARGE_CONSTANT_BYTES, without_weights  # noqa: E402
from tfexport.backends.tensorflow.tracing import TracedFunction  # noqa: E402
from tfexport.backends.versions import Versions  # noqa: E402
from tfexport.backends.weightless import WeightlessGraph  # noqa: E402
from tfexport.errors import ConversionError, OpsetError, UnsupportedOpError  # noqa: E402
from tfexport.graph.attach import attach_weights  # noqa: E402
from tfexport.processes.patching import PatchingSpec  # noqa: E402

ROWS = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)


def traced(function: Callable[..., Any], *specs: Any) -> TracedFunction:
    specs = specs or (tf.TensorSpec([None, 4], tf.float32, name="x"),)
    concrete = tf.function(function, input_signature=specs, autograph=False).get_concrete_function()
    names = tuple(spec.name for spec in specs)
    return TracedFunction(concrete, names, tuple(f"y{index}" for index in range(len(concrete.outputs))))


def converted(function: Callable[..., Any], *specs: Any, opset: int = 18) -> WeightlessGraph:
    return convert_function(traced(function, *specs), opset, "tf2onnx")


def run(graph: WeightlessGraph, **feeds: np.ndarray) -> list[np.ndarray]:
    model = ir.to_proto(attach_weights(graph)).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


class TestWeights:
    def test_are_graph_inputs_named_after_their_variables(self) -> None:
        kernel = tf.Variable(np.ones((4, 2), np.float32), name="dense/kernel")
        graph = converted(lambda x: tf.matmul(x, kernel))
        assert [value.name for value in graph.proto.graph.input] == ["x", "dense/kernel"]
        assert not any("kernel" in constant.name for constant in graph.proto.graph.initializer)
        np.testing.assert_allclose(run(graph, x=ROWS)[0], ROWS @ np.ones((4, 2)), atol=1e-5)

    def test_are_views_of_the_live_variables(self) -> None:
        kernel = tf.Variable(np.zeros((256, 256), np.float32), name="kernel")
        tensor = converted(lambda x: tf.matmul(x, kernel), tf.TensorSpec([None, 256], tf.float32, name="x")).weights[
            "kernel"
        ]
        assert np.shares_memory(tensor.numpy(), tensor.numpy())
        kernel.assign_add(tf.ones_like(kernel))
        assert tensor.numpy()[0, 0] == 1.0

    def test_two_variables_of_one_name_stay_two(self) -> None:
        first, second = (tf.Variable(np.full((4, 4), v, np.float32), name="kernel") for v in (1, 2))
        graph = converted(lambda x: tf.matmul(tf.matmul(x, first), second))
        assert len(graph.weights) == 2
        np.testing.assert_allclose(run(graph, x=ROWS)[0], ROWS @ np.ones((4, 4)) @ np.full((4, 4), 2.0), atol=1e-5)

    def test_gathers_read_rows(self) -> None:
        table = tf.Variable(np.arange(20, dtype=np.float32).reshape(5, 4), name="table")
        ids = np.array([[0, 4], [2, 2]], np.int64)
        graph = converted(
            lambda i: tf.gather(table, tf.cast(i, tf.int32)), tf.TensorSpec([None, None], tf.int64, name="ids")
        )
        np.testing.assert_array_equal(run(graph, ids=ids)[0], table.numpy()[ids])

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_])
    def test_every_dtype_keeps_its_values(self, dtype: type) -> None:
        values: np.ndarray = np.array([[0, 1, 1, 0]]).astype(dtype)
        variable = tf.Variable(values, name="held")
        graph = converted(lambda x: tf.cast(variable, tf.float32) + x)
        np.testing.assert_array_equal(graph.weights["held"].numpy(), values)
        np.testing.assert_allclose(run(graph, x=ROWS)[0], ROWS + values.astype(np.float32))

    def test_inside_a_branch_is_read_there(self) -> None:
        kernel = tf.Variable(np.full((4, 4), 3, np.float32), name="kernel")
        bias = tf.Variable(np.ones((4,), np.float32), name="bias")

        def branch(x: Any) -> Any:
            return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, kernel) + bias, lambda: x - bias)

        graph = converted(branch)
        assert set(graph.weights) == {"kernel", "bias"}
        for rows in (ROWS + 1, ROWS - 1):
            np.testing.assert_allclose(run(graph, x=rows)[0], branch(tf.constant(rows)).numpy(), rtol=1e-5)

    def test_inside_a_loop_is_read_there(self) -> None:
        kernel = tf.Variable(np.eye(4, dtype=np.float32) * 2, name="kernel")

        def loop(x: Any) -> Any:
            return tf.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.matmul(h, kernel)), [0, x])[1]

        graph = converted(loop)
        np.testing.assert_allclose(run(graph, x=ROWS)[0], ROWS * 8, rtol=1e-6)

    def test_that_are_assigned_are_an_error_naming_op_and_layer(self) -> None:
        count = tf.Variable(0.0, name="count")

        def counting(x: Any) -> Any:
            with tf.name_scope("counter"):
                return x + count.assign_add(1.0)

        with pytest.raises(UnsupportedOpError, match="AssignAddVariableOp in counter/AssignAddVariableOp"):
            converted(counting)

    def test_large_captured_tables_are_weights_and_small_ones_constants(self) -> None:
        large = tf.constant(np.random.default_rng(0).normal(size=(LARGE_CONSTANT_BYTES // 16, 4)).astype(np.float32))
        small = tf.constant(np.arange(4, dtype=np.float32))
        weightless = without_weights(traced(lambda x: x + tf.reduce_sum(large, 0) * small).function)
        assert len(weightless.weights) == 1
        graph = converted(lambda x: x + tf.reduce_sum(large, 0) * small)
        expected = ROWS + large.numpy().sum(0, dtype=np.float64) * small.numpy()
        np.testing.assert_allclose(run(graph, x=ROWS)[0], expected, rtol=1e-4)


class TestConversion:
    def test_an_unmapped_op_is_an_error_naming_op_and_layer(self) -> None:
        def bessel(x: Any) -> Any:
            with tf.name_scope("encoder/layer_7"):
                return tf.math.bessel_i0e(x)

        with pytest.raises(UnsupportedOpError, match="BesselI0e in encoder/layer_7/") as caught:
            converted(bessel)
        assert caught.value.ops[0][0] == "BesselI0e"

    def test_a_handler_that_fails_is_an_error(self) -> None:
        def permuted(x: Any, order: Any) -> Any:
            return tf.transpose(x, order)

        specs = (tf.TensorSpec([None, 4], tf.float32, name="x"), tf.TensorSpec([2], tf.int32, name="order"))
        with pytest.raises(ConversionError, match="perm"):
            converted(permuted, *specs)

    @pytest.mark.parametrize("opset", [11, 13, 17, 18])
    def test_lower_opsets_are_native(self, opset: int) -> None:
        kernel = tf.Variable(np.ones((4, 2), np.float32), name="kernel")
        graph = converted(lambda x: tf.nn.gelu(tf.matmul(x, kernel), approximate=False), opset=opset)
        assert {entry.domain: entry.version for entry in graph.proto.opset_import}[""] == opset
        expected = tf.nn.gelu(tf.matmul(tf.constant(ROWS), kernel), approximate=False).numpy()
        np.testing.assert_allclose(run(graph, x=ROWS)[0], expected, atol=1e-6)

    def test_opsets_below_nine_are_refused(self) -> None:
        with pytest.raises(OpsetError, match="from 9; 8 was requested"):
            converted(lambda x: x + 1, opset=8)

    def test_outputs_come_in_order_also_when_one_is_another(self) -> None:
        def same_twice(x: Any) -> Any:
            total = tf.reduce_sum(x, 1)
            return tf.identity(total), tf.identity(x), tf.identity(total)

        graph = converted(same_twice)
        assert [value.name for value in graph.proto.graph.output] == ["y0", "y1", "y2"]
        for value, expected in zip(run(graph, x=ROWS), (ROWS.sum(1), ROWS, ROWS.sum(1)), strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-6)


class TestHandlers:
    def test_erfc(self) -> None:
        np.testing.assert_allclose(run(converted(tf.math.erfc), x=ROWS)[0], tf.math.erfc(ROWS).numpy(), atol=1e-6)

    def test_erfc_is_still_missing_upstream(self) -> None:
        """Fails once tf2onnx maps Erfc (onnx/tensorflow-onnx #2347). Then our handler can be removed."""
        from tf2onnx import handler

        assert "Erfc" not in handler.tf_op.create_mapping(18, None)

    @pytest.mark.parametrize("other", [-np.inf, np.nan])
    def test_select_does_not_leak_what_it_does_not_select(self, other: float) -> None:
        def masked(x: Any) -> Any:
            return tf.where(x > 0, x, tf.constant(other, tf.float32)), tf.where(x > 0, tf.constant(1.0) / x, x)

        rows = ROWS.copy()
        rows[0, 0] = 0
        for value, expected in zip(run(converted(masked), x=rows), masked(tf.constant(rows)), strict=True):
            np.testing.assert_array_equal(value, expected.numpy())

    def test_select_still_leaks_upstream(self) -> None:
        """Fails once tf2onnx writes Where for a Select of floats. Then our handler can be removed."""
        import tf2onnx

        spec = (tf.TensorSpec([None, 4], tf.float32, name="x"),)
        function = tf.function(lambda x: tf.where(x > 0, x, tf.exp(x * 100)), input_signature=spec)
        proto, _ = tf2onnx.convert.from_function(function, spec, opset=18)
        assert "Where" not in {node.op_type for node in proto.graph.node}


class TestPatches:
    def test_are_undone_when_tracing_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Model:
            def call(self) -> str:
                return "original"

        class OnePatch:
            VERSIONS = Versions("tensorflow", ">=0")

            @staticmethod
            def specs() -> list[PatchingSpec]:
                return [PatchingSpec(Model, "call", lambda self: "patched")]

        monkeypatch.setattr(patches, "MODULES", (OnePatch,))
        with pytest.raises(ZeroDivisionError), patches.patched_tensorflow():
            assert Model().call() == "patched"
            _ = 1 / 0
        assert Model().call() == "original"
