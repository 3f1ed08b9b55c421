"""Recurrent layers of Keras 3 and tf_keras: ONNX's operators where they exist, loops elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

import keras  # noqa: E402
import tf_keras  # noqa: E402

from tests.backends.test_tensorflow import converted, run, traced  # noqa: E402
from tfexport import graph as graphs  # noqa: E402
from tfexport.backends.tensorflow import conversion, ops, patches  # noqa: E402
from tfexport.backends.tensorflow.conversion import convert_function  # noqa: E402
from tfexport.backends.tensorflow.emission import emit  # noqa: E402
from tfexport.backends.tensorflow.patches import patched_tensorflow  # noqa: E402
from tfexport.backends.tensorflow.tracing import TracedFunction  # noqa: E402
from tfexport.errors import ConversionError, UnsupportedOpError  # noqa: E402
from tfexport.graph import Contract, Port  # noqa: E402

KERAS = [pytest.param(keras, id="keras"), pytest.param(tf_keras, id="tf_keras")]
RECURRENT = ("GRU", "LSTM", "RNN")
LOOPS = ("Loop", "Scan")
FEATURES = 3
OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"return_sequences": True},
    {"return_state": True},
    {"return_sequences": True, "return_state": True, "go_backwards": True},
    {"go_backwards": True},
    {"use_bias": False},
    {"dropout": 0.5, "recurrent_dropout": 0.5, "return_sequences": True},
]
ACTIVATIONS = ("elu", "hard_sigmoid", "leaky_relu", "linear", "relu", "sigmoid", "softplus", "softsign", "tanh")
MASKS = np.array(
    [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], np.float32
)


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    tf.random.set_seed(0)
    keras.utils.set_random_seed(0)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def sequences(layers: ModuleType, layer: Any, *before: Any) -> Any:
    """Return a model for sequences of any length, with its layers in a row."""
    x = inputs = layers.Input((None, FEATURES))
    for each in (*before, layer):
        x = each(x)
    model = layers.Model(inputs, x)
    model.set_weights([random(*weight.shape) / 2 for weight in model.get_weights()])  # biases are zeros when made
    return model


def exported(model: Any, specs: Sequence[Any], opset: int = 18) -> ir.Model:
    """Return the graph that is written, made as the pipeline makes it."""

    def call(*tensors: Any) -> list[Any]:
        found = tf.nest.flatten(model(tensors[0] if len(tensors) == 1 else list(tensors)))
        return [tf.identity(value) for value in found]

    with patched_tensorflow():
        function = tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
    names = tuple(f"y{index}" for index in range(len(function.outputs)))
    weightless = convert_function(TracedFunction(function, tuple(spec.name for spec in specs), names), opset, "tf2onnx")
    inputs = tuple(_port(spec.name, spec) for spec in specs)
    outputs = tuple(_port(name, value) for name, value in zip(names, function.outputs, strict=True))
    return graphs.finish(weightless, Contract(inputs, outputs), opset).model


def _port(name: str, value: Any) -> Port:
    axes = tuple(f"{name}_{axis}" if length is None else length for axis, length in enumerate(value.shape))
    return Port(name, value.dtype.name, axes)


def compared(model: Any, runs: Iterable[Sequence[np.ndarray]], *specs: Any, opset: int = 18) -> Counter[str]:
    """Assert that a model's file and the model, run eagerly, return the same; return the ops of the file."""
    specs = specs or (tf.TensorSpec([None, None, FEATURES], tf.float32, name="x"),)
    file = exported(model, specs, opset)
    session = onnxruntime.InferenceSession(ir.to_proto(file).SerializeToString(), providers=["CPUExecutionProvider"])
    for arrays in runs:
        expected = tf.nest.flatten(model(arrays[0] if len(arrays) == 1 else list(arrays)))
        found = session.run(None, {spec.name: array for spec, array in zip(specs, arrays, strict=True)})
        for value, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(value, np.asarray(right), atol=1e-5)
    return Counter(node.op_type for node in file.graph.all_nodes())


LENGTHS = [(random(2, 5, FEATURES),), (random(3, 7, FEATURES),), (random(1, 1, FEATURES),)]


def recurrent(counted: Counter[str]) -> dict[str, int]:
    return {op: count for op, count in counted.items() if op in (*RECURRENT, *LOOPS)}


@pytest.mark.parametrize("package", KERAS)
class TestOperators:
    @pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
    @pytest.mark.parametrize("name", OPERATORS)
    def test_options(self, package: ModuleType, name: str, options: dict[str, Any]) -> None:
        layer = getattr(package.layers, name)(4, **options)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {OPERATORS[name]: 1}

    @pytest.mark.parametrize("use_bias", [True, False])
    @pytest.mark.parametrize("reset_after", [True, False])
    def test_gru(self, package: ModuleType, reset_after: bool, use_bias: bool) -> None:
        layer = package.layers.GRU(4, reset_after=reset_after, use_bias=use_bias, return_sequences=True)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {"GRU": 1}

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("name", ["LSTM", "SimpleRNN"])
    def test_activations(self, package: ModuleType, name: str, activation: str) -> None:
        layer = getattr(package.layers, name)(4, activation=activation)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {OPERATORS[name]: 1}

    @pytest.mark.parametrize("activation", ["elu", "hard_sigmoid"])
    @pytest.mark.parametrize("name", ["LSTM", "GRU"])
    def test_constants_of_activations_are_told_apart(self, package: ModuleType, name: str, activation: str) -> None:
        layer = getattr(package.layers, name)(4, activation=activation, recurrent_activation="hard_sigmoid")
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {OPERATORS[name]: 1}

    @pytest.mark.parametrize("merge", ["concat", "sum", None])
    @pytest.mark.parametrize("name", OPERATORS)
    def test_both_directions(self, package: ModuleType, name: str, merge: str | None) -> None:
        inner = getattr(package.layers, name)(4, return_sequences=True, return_state=True)
        layer = package.layers.Bidirectional(inner, merge_mode=merge)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {OPERATORS[name]: 2}

    @pytest.mark.parametrize("opset", [10, 12, 14, 18])
    def test_in_a_row_with_a_dense_layer_after_them(self, package: ModuleType, opset: int) -> None:
        layers = package.layers
        rows = [
            layers.LSTM(4, return_sequences=True),
            layers.Bidirectional(layers.GRU(3, return_sequences=True)),
            layers.SimpleRNN(5, return_sequences=True),
        ]
        found = compared(sequences(package, layers.Dense(2), *rows), LENGTHS, opset=opset)
        assert recurrent(found) == {"LSTM": 1, "GRU": 2, "RNN": 1}

    @pytest.mark.parametrize("name", OPERATORS)
    def test_initial_states(self, package: ModuleType, name: str) -> None:
        count = 2 if name == "LSTM" else 1
        inputs = package.Input((None, FEATURES))
        states = [package.Input((4,)) for _ in range(count)]
        layer = getattr(package.layers, name)(4, return_state=True)
        model = package.Model([inputs, *states], layer(inputs, initial_state=states))
        specs = [tf.TensorSpec([None, 4], tf.float32, name=f"state{index}") for index in range(count)]
        runs = [(random(batch, length, FEATURES), *[random(batch, 4)] * count) for batch, length in ((2, 5), (3, 7))]
        found = compared(model, runs, tf.TensorSpec([None, None, FEATURES], tf.float32, name="x"), *specs)
        assert recurrent(found) == {OPERATORS[name]: 1}

    def test_unrolled_layers(self, package: ModuleType) -> None:
        inputs = package.Input((4, FEATURES))
        model = package.Model(inputs, package.layers.LSTM(4, unroll=True, return_sequences=True)(inputs))
        spec = tf.TensorSpec([None, 4, FEATURES], tf.float32, name="x")
        assert recurrent(compared(model, [(random(2, 4, FEATURES),)], spec)) == {"LSTM": 1}

    def test_a_cell_by_itself(self, package: ModuleType) -> None:
        layer = package.layers.RNN(package.layers.GRUCell(4), return_sequences=True)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {"GRU": 1}

    def test_weights_are_in_the_file_as_the_operator_reads_them_and_once(self, package: ModuleType) -> None:
        layer = package.layers.LSTM(FEATURES, return_sequences=True)
        model = sequences(package, layer, layer)
        assert compared(model, LENGTHS) == {"Transpose": 2, "LSTM": 2, "Squeeze": 2}
        file = exported(model, [tf.TensorSpec([None, None, FEATURES], tf.float32, name="x")])
        constants = (value.const_value for value in file.graph.initializers.values())
        sizes = sorted(value.size for value in constants if value is not None and value.size > 9)
        assert sizes == [24, 36, 36]

    def test_inside_a_function_and_a_branch(self, package: ModuleType) -> None:
        model = sequences(package, package.layers.LSTM(4, return_sequences=True))
        inner = tf.function(model, autograph=False)

        def branching(x: Any) -> Any:
            x = tf.convert_to_tensor(x)
            return tf.cond(tf.reduce_sum(x) > 0, lambda: inner(x), lambda: model(x) * 2.0)

        found = compared(branching, [(abs(array),) for (array,) in LENGTHS] + [(-abs(array),) for (array,) in LENGTHS])
        assert recurrent(found) == {"LSTM": 2}

    def test_for_each_step_of_a_longer_sequence(self, package: ModuleType) -> None:
        inputs = package.Input((None, 4, FEATURES))
        model = package.Model(inputs, package.layers.TimeDistributed(package.layers.LSTM(4))(inputs))
        spec = tf.TensorSpec([None, None, 4, FEATURES], tf.float32, name="x")
        found = compared(model, [(random(2, 5, 4, FEATURES),), (random(3, 2, 4, FEATURES),)], spec)
        assert recurrent(found) == {"LSTM": 1}


@pytest.mark.parametrize("package", KERAS)
class TestMasks:
    """Return masks that are right-padded, left-padded, with holes, and without any unmasked step."""

    RUNS = [(random(6, 5, FEATURES) * MASKS[:, :, np.newaxis],), (random(2, 3, FEATURES),)]

    @pytest.mark.parametrize("go_backwards", [False, True])
    @pytest.mark.parametrize("zero", [False, True])
    @pytest.mark.parametrize("name", OPERATORS)
    def test_any_mask(self, package: ModuleType, name: str, zero: bool, go_backwards: bool) -> None:
        for return_sequences in (True, False):
            layer = getattr(package.layers, name)(
                4,
                return_sequences=return_sequences,
                return_state=True,
                go_backwards=go_backwards,
                zero_output_for_mask=zero,
            )
            model = sequences(package, layer, package.layers.Masking())
            assert recurrent(compared(model, self.RUNS)) == {OPERATORS[name]: 1}

    def test_of_embeddings_in_a_row(self, package: ModuleType) -> None:
        layers = package.layers
        inputs = package.Input((None,), dtype="int64")
        x = layers.Embedding(9, FEATURES, mask_zero=True)(inputs)
        x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
        model = package.Model(inputs, layers.Dense(2)(layers.LSTM(4)(x)))
        runs = [(MASKS.astype(np.int64) * 3,), (np.array([[1, 2, 0]], np.int64),)]
        for opset in (11, 18):
            found = compared(model, runs, tf.TensorSpec([None, None], tf.int64, name="ids"), opset=opset)
            assert recurrent(found) == {"GRU": 2, "LSTM": 1}

    def test_with_initial_states(self, package: ModuleType) -> None:
        inputs, state = package.Input((None, FEATURES)), package.Input((4,))
        masked = package.layers.Masking()(inputs)
        layer = package.layers.GRU(4, return_state=True, return_sequences=True)
        model = package.Model([inputs, state], layer(masked, initial_state=[state]))
        specs = (
            tf.TensorSpec([None, None, FEATURES], tf.float32, name="x"),
            tf.TensorSpec([None, 4], tf.float32, name="h"),
        )
        assert recurrent(compared(model, [(self.RUNS[0][0], random(6, 4))], *specs)) == {"GRU": 1}


class TestTimeMajor:
    @pytest.mark.parametrize("masked", [False, True])
    def test_in_tf_keras(self, masked: bool) -> None:
        layer = tf_keras.layers.LSTM(4, time_major=True, return_sequences=True, return_state=True, go_backwards=True)
        before = [tf_keras.layers.Masking()] if masked else []
        array = random(5, 6, FEATURES) * MASKS.T[:, :, np.newaxis]
        found = compared(sequences(tf_keras, layer, *before), [(array,)])
        assert recurrent(found) == {"LSTM": 1}
        if not masked:
            assert "Transpose" not in found

    def test_both_directions(self) -> None:
        inner = tf_keras.layers.GRU(4, time_major=True, return_sequences=True)
        found = compared(sequences(tf_keras, tf_keras.layers.Bidirectional(inner)), LENGTHS)
        assert recurrent(found) == {"GRU": 2}


@pytest.mark.parametrize("package", KERAS)
class TestLoops:
    """Layers that no operator computes."""

    @pytest.mark.parametrize("masked", [False, True])
    @pytest.mark.parametrize("name", OPERATORS)
    def test_other_activations(self, package: ModuleType, name: str, masked: bool) -> None:
        options = {"activation": "selu", "dropout": 0.5, "recurrent_dropout": 0.5}
        layer = getattr(package.layers, name)(4, return_sequences=True, return_state=True, **options)
        before = [package.layers.Masking()] if masked else []
        assert recurrent(compared(sequences(package, layer, *before), [*LENGTHS, *TestMasks.RUNS])) == {"Loop": 1}

    @pytest.mark.parametrize("go_backwards", [False, True])
    @pytest.mark.parametrize("masked", [False, True])
    def test_cells_in_a_row(self, package: ModuleType, masked: bool, go_backwards: bool) -> None:
        layers = package.layers
        cells = [layers.LSTMCell(4), layers.GRUCell(5, dropout=0.5), layers.SimpleRNNCell(3, recurrent_dropout=0.5)]
        before = [layers.Masking()] if masked else []
        model = sequences(package, layers.RNN(cells, go_backwards=go_backwards), *before)
        assert recurrent(compared(model, [*LENGTHS, *TestMasks.RUNS])) == {"Loop": 1}

    def test_a_cell_of_the_users(self, package: ModuleType) -> None:
        class Doubling(package.layers.SimpleRNNCell):  # type: ignore[name-defined,misc]
            def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
                output, states = super().call(inputs, states, training=training)
                return output * 2.0, states

        layer = package.layers.RNN(Doubling(4), return_sequences=True, return_state=True)
        assert recurrent(compared(sequences(package, layer), LENGTHS)) == {"Loop": 1}

    def test_convolutions(self, package: ModuleType) -> None:
        inputs = package.Input((None, 5, 5, 2))
        layer = package.layers.ConvLSTM2D(3, 3, dropout=0.5, return_sequences=True)
        model = package.Model(inputs, layer(inputs))
        spec = tf.TensorSpec([None, None, 5, 5, 2], tf.float32, name="x")
        found = compared(model, [(random(2, 4, 5, 5, 2),), (random(2, 3, 5, 5, 2),)], spec)
        assert recurrent(found) == {"Loop": 1}

    def test_double_precision(self, package: ModuleType) -> None:
        """ONNX Runtime has the operators only in float32."""
        inputs = package.Input((None, FEATURES), dtype="float64")
        model = package.Model(inputs, package.layers.LSTM(4, dtype="float64")(inputs))
        spec = tf.TensorSpec([None, None, FEATURES], tf.float64, name="x")
        assert recurrent(compared(model, [(random(2, 5, FEATURES).astype(np.float64),)], spec)) == {"Loop": 1}

    def test_a_state_that_is_kept_is_refused(self, package: ModuleType) -> None:
        inputs = package.Input(batch_shape=(2, None, FEATURES))
        model = package.Model(inputs, package.layers.LSTM(4, stateful=True)(inputs))
        with pytest.raises(UnsupportedOpError, match="AssignVariableOp in .*lstm"):
            exported(model, [tf.TensorSpec([2, None, FEATURES], tf.float32, name="x")])


class TestWorkarounds:
    """Each test fails once the cause of a workaround is gone. Then the workaround can be removed."""

    SPEC = tf.TensorSpec([None, None, FEATURES], tf.float32, name="x")

    @pytest.mark.parametrize("name", ["keras_recurrent", "tf_keras_recurrent"])
    def test_layers_are_loops_without(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._without(name, monkeypatch)
        package = keras if name == "keras_recurrent" else tf_keras
        assert recurrent(compared(sequences(package, package.layers.LSTM(4)), LENGTHS)) == {"Loop": 1}

    def test_dropout_draws_seeds_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._without("keras_dropout_masks", monkeypatch)
        with pytest.raises(UnsupportedOpError, match="AssignVariableOp"):
            exported(sequences(keras, keras.layers.LSTM(4, dropout=0.5)), [self.SPEC])

    def test_a_models_own_function_keeps_what_it_was_traced_as_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._without("nested_functions", monkeypatch)
        model = tf.function(sequences(keras, keras.layers.LSTM(4)), autograph=False)
        with pytest.raises(tf.errors.InvalidArgumentError, match="tfexport.onnx"):
            compared(model, LENGTHS)

    def test_time_distributed_is_wrong_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._without("keras_time_distributed", monkeypatch)
        with pytest.raises(AssertionError):
            compared(sequences(keras, keras.layers.TimeDistributed(keras.layers.Dense(2))), LENGTHS)

    def test_loops_are_no_valid_file_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = {name: handler for name, handler in ops.HANDLERS.items() if name != "TensorListFromTensor"}
        monkeypatch.setattr(conversion, "HANDLERS", kept)
        with pytest.raises(ConversionError, match="not valid ONNX"):
            exported(sequences(keras, keras.layers.GRU(4, activation="selu")), [self.SPEC])

    def test_tf2onnx_wants_the_weights_of_an_lstm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from tf2onnx.rewriter import rewriter_lstm_tf2

        self._without("keras_recurrent", monkeypatch)
        monkeypatch.setattr(conversion, "_rewrite_nothing", rewriter_lstm_tf2)
        with pytest.raises(ConversionError, match="must be Const"):
            exported(sequences(keras, keras.layers.LSTM(4)), [self.SPEC])

    @staticmethod
    def _without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = tuple(module for module in patches.MODULES if not module.__name__.endswith(f".{name}"))
        assert len(kept) == len(patches.MODULES) - 1
        monkeypatch.setattr(patches, "MODULES", kept)


class TestEmission:
    def test_any_operator_with_inputs_left_out(self) -> None:
        def clipped(x: Any) -> Any:
            (found,) = emit("Clip", [x, None, tf.constant(0.5)], [tf.TensorSpec(x.shape, x.dtype)])
            return found

        rows = random(3, 4)
        graph = converted(clipped, tf.TensorSpec([None, 4], tf.float32, name="x"))
        np.testing.assert_array_equal(run(graph, x=rows)[0], np.minimum(rows, 0.5))

    def test_a_models_own_python_has_no_mapping(self) -> None:
        def doubled(x: Any) -> Any:
            return tf.numpy_function(lambda array: array * 2, [x], tf.float32)

        with pytest.raises(UnsupportedOpError, match="PyFunc in"):
            convert_function(traced(doubled), 18, "tf2onnx")
