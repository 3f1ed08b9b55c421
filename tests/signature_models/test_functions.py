"""Functions of TensorFlow and SavedModels: signatures, tags, control flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfexport
from tests.signature_models.support import assert_agrees, export, floats
from tfexport.errors import ContractError, InputsError, TfExportError, UnsupportedCheckpointError, UnsupportedOpError

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

X = floats(3, 4)
ROWS = tf.TensorSpec([None, 4], tf.float32, name="x")


def _function(*specs: Any) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = tf.function(input_signature=list(specs))
    return compiled


@_function(ROWS)
def doubled(x: Any) -> Any:
    return x * 2


@_function(ROWS, tf.TensorSpec([], tf.int32, name="steps"))
def looping(x: Any, steps: Any) -> Any:
    """A loop and a branch on tensors."""
    step = tf.constant(0)
    while step < steps:
        x = x * 0.9 + 1.0
        step += 1
    if tf.reduce_sum(x) > 20.0:
        x = -x
    return {"x_after": x, "steps_done": step}


@_function(ROWS)
def nested(x: Any) -> Any:
    return x * 2, (x + 1, [x - 1])


@_function({"b": tf.TensorSpec([None, 4], tf.float32), "a": tf.TensorSpec([None, 2], tf.float32)})
def of_a_mapping(x: Any) -> Any:
    return tf.concat([x["b"], x["a"]], 1)


def test_a_function_with_a_signature(tmp_path: Path) -> None:
    done = export(doubled, tmp_path / "out")
    assert done.inputs == [("x", "tensor(float)", ["batch", 4])]
    assert done.outputs == [("output", "tensor(float)", ["batch", 4])]
    assert done.manifest["source"]["loaded_by"] == f"tensorflow {tf.__version__}"
    assert done.manifest["source"]["kind"] == "python"
    assert_agrees(done.run({"x": X}), {"output": X * 2})


def test_a_function_without_a_signature(tmp_path: Path) -> None:
    function = tf.function(lambda x: tf.reduce_sum(x, -1))
    with pytest.raises(InputsError) as caught:
        tfexport.export_checkpoint(function, tmp_path / "out")
    assert "without an input_signature" in str(caught.value)
    assert "get_concrete_function" in str(caught.value)
    assert "\n" not in str(caught.value)
    done = export(function.get_concrete_function(tf.TensorSpec([None, 4], tf.float32)), tmp_path / "out")
    assert_agrees(done.run({"x": X}), {"output": X.sum(-1)})


def test_a_concrete_function_with_a_python_value(tmp_path: Path) -> None:
    function = tf.function(lambda x, factor, offset=1.0: x * factor + offset)
    concrete = function.get_concrete_function(ROWS, 3.0, offset=tf.TensorSpec([4], tf.float32, name="offset"))
    done = export(concrete, tmp_path / "out")
    assert [name for name, *_ in done.inputs] == ["x", "offset"]
    feeds = {"x": X, "offset": floats(4)}
    assert_agrees(done.run(feeds), {"output": X * 3 + feeds["offset"]})


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loops_and_branches(steps: int, scale: float, tmp_path: Path) -> None:
    done = export(looping, tmp_path / "out")
    assert done.inputs[1] == ("steps", "tensor(int64)", [])
    x = np.abs(X) * np.float32(scale)
    expected = {name: value.numpy() for name, value in looping(tf.constant(x), tf.constant(steps)).items()}
    found = done.run({"x": x, "steps": np.array(steps)})
    assert_agrees(found, {name: expected[name] for name in found})
    assert found["steps_done"] == steps


def test_outputs_in_nests(tmp_path: Path) -> None:
    found = export(nested, tmp_path / "out").run({"x": X})
    assert_agrees(found, {"output_0": X * 2, "output_1.0": X + 1, "output_1.1.0": X - 1})


def test_inputs_in_a_mapping(tmp_path: Path) -> None:
    done = export(of_a_mapping, tmp_path / "out")
    wide, narrow = (next(name for name, _, shape in done.inputs if shape[1] == width) for width in (4, 2))
    other = floats(3, 2, seed=5)
    assert_agrees(done.run({wide: X, narrow: other}), {"output": np.concatenate([X, other], 1)})


def test_an_output_that_is_called_as_an_input(tmp_path: Path) -> None:
    @_function(ROWS)
    def function(x: Any) -> Any:
        return {"x": x * 2}

    assert_agrees(export(function, tmp_path / "out").run({"x": X}), {"x_output": X * 2})


def test_an_output_as_long_as_values_have_it(tmp_path: Path) -> None:
    @_function(ROWS)
    def function(x: Any) -> Any:
        return {"where": tf.where(x > 0.5), "which": tf.boolean_mask(x, x > 0.5)}

    done = export(function, tmp_path / "out")
    assert [shape for *_, shape in done.outputs] == [["where_axis_0", 2], ["which_axis_0"]]
    found = done.run({"x": X})
    np.testing.assert_array_equal(found["where"], np.argwhere(X > 0.5))
    np.testing.assert_array_equal(found["which"], X[X > 0.5])


def test_a_sound(tmp_path: Path) -> None:
    """The axis of any length is not a batch: two samples have no frame."""

    @_function(tf.TensorSpec([None], tf.float32, name="waveform"))
    def spectrum(waveform: Any) -> Any:
        return tf.abs(tf.signal.stft(waveform, 400, 160, 512))

    done = export(spectrum, tmp_path / "out", axis_names={"waveform": ["samples"], "output": ["frames"]})
    assert (done.inputs[0][2], done.outputs[0][2]) == (["samples"], ["frames", 257])
    assert all(output["shape"][0] > 0 for case in done.manifest["validation"]["cases"] for output in case["outputs"])
    sound = floats(3200)
    assert_agrees(done.run({"waveform": sound}), {"output": spectrum(sound)})


def test_a_model_that_branches_in_python(tmp_path: Path) -> None:
    """Keras does not know the inputs of the model; a function of it declares them."""
    import keras

    class Branching(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            y = self.dense(x)
            if tf.reduce_sum(x) > 0:
                y = -y
            return y

    model = Branching()
    model(X)
    with pytest.raises(InputsError, match="inputs are not known.*tf.function of it with an input_signature"):
        tfexport.export_checkpoint(model, tmp_path / "out")
    function = tf.function(model.call, input_signature=[ROWS])
    done = export(function, tmp_path / "out")
    for x in (np.abs(X), -np.abs(X)):
        assert_agrees(done.run({done.inputs[0][0]: x}), {"output": model(x)})


def _strings_out(x: Any) -> Any:
    return tf.strings.as_string(x)


def _ragged_out(x: Any) -> Any:
    return tf.RaggedTensor.from_tensor(x)


def _nothing(x: Any) -> None:
    return None


def _python(x: Any) -> Any:
    return tf.py_function(lambda t: t * 2, [x], tf.float32)


@pytest.mark.parametrize(
    ("function", "spec", "error", "message"),
    [
        (tf.strings.length, tf.TensorSpec([None], tf.string), UnsupportedCheckpointError, "takes strings"),
        (lambda x: x.to_tensor(), tf.RaggedTensorSpec([None, None]), UnsupportedCheckpointError, "as RaggedTensorSpec"),
        (tf.sparse.to_dense, tf.SparseTensorSpec([None, 4]), UnsupportedCheckpointError, "as SparseTensorSpec"),
        (lambda x: x * 2, tf.TensorSpec(None, tf.float32), InputsError, "does not say how many axes x has"),
        (_strings_out, ROWS, ContractError, "the output output is strings"),
        (_ragged_out, ROWS, ContractError, "the output output is RaggedTensor"),
        (_nothing, ROWS, ContractError, "returns no output"),
        (_python, ROWS, UnsupportedOpError, "EagerPyFunc"),
        (
            lambda x: tf.reshape(x, [7, 11]),
            tf.TensorSpec([None, None], tf.float32, name="x"),
            InputsError,
            "fails on every shape that was tried: .*Give a shape that it takes by --input-shape",
        ),
    ],
)
def test_what_cannot_be_exported(function: Any, spec: Any, error: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message) as caught:
        tfexport.export_checkpoint(tf.function(function, input_signature=[spec]), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [7, None, tf.keras.Model, {"model": doubled}, tf.Module()])
def test_what_is_no_model(value: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpointError, match="in Python is neither a Keras model nor a tf.function"):
        tfexport.export_checkpoint(value, tmp_path / "out")


# SavedModels ---------------------------------------------------------------------------------------------------------


class Module(tf.Module):  # type: ignore[name-defined, misc]
    """Two signatures that share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(floats(4, 3))

    @tf.function(input_signature=[ROWS])  # type: ignore[untyped-decorator]
    def first(self, x: Any) -> Any:
        return {"y": x @ self.weight}

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, 4], tf.float32, name="zebra"),
            tf.TensorSpec([None, 4], tf.float32, name="ant"),
        ]
    )
    def second(self, zebra: Any, ant: Any) -> Any:
        return {"difference": (zebra - ant) @ self.weight, "also": zebra + 2 * ant}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save SavedModels with the default signature, with one of another name, with two, and with none."""
    folder = tmp_path_factory.mktemp("saved")
    module = Module()
    tf.saved_model.save(module, str(folder / "default"), signatures=module.first)
    tf.saved_model.save(module, str(folder / "one"), signatures={"only": module.first})
    tf.saved_model.save(module, str(folder / "two"), signatures={"first": module.first, "second": module.second})
    tf.saved_model.save(module, str(folder / "none"))
    return folder


@pytest.mark.parametrize(
    ("name", "signature"), [("default", None), ("one", None), ("default", "serving_default"), ("two", "first")]
)
def test_a_signature(name: str, signature: str | None, saved: Path, tmp_path: Path) -> None:
    done = export(saved / name, tmp_path / "out", trust=True, signature=signature)
    source = done.manifest["source"]
    assert (source["kind"], source["loaded_by"]) == ("saved-model", f"tensorflow {tf.__version__}")
    assert source["model_class"] == signature or signature is None
    assert "saved_model.pb" in source["sha256"]
    assert any(file.startswith("variables/") for file in source["sha256"])
    assert_agrees(done.run({"x": X}), {"y": X @ floats(4, 3)}, far=1e-6)


def test_the_other_signature(saved: Path, tmp_path: Path) -> None:
    done = export(saved / "two", tmp_path / "out", trust=True, signature="second")
    assert [name for name, *_ in done.inputs] == ["ant", "zebra"]  # TensorFlow keeps them by the alphabet
    other = floats(3, 4, seed=8)
    found = done.run({"zebra": X, "ant": other})
    expected = {"difference": (X - other) @ floats(4, 3), "also": X + 2 * other}
    assert list(found) == ["also", "difference"]  # by the alphabet too: TensorFlow gives them in any order
    assert_agrees(found, {name: expected[name] for name in found})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("two", {}, "has the signatures first, second; 'serving_default' is not among them. Name one by --signature"),
        ("two", {"signature": "third"}, "has the signatures first, second; 'third' is not among them"),
        ("none", {}, "has the signatures none; .* can be saved again with signatures="),
        ("default", {"tag": "train"}, r"has no graph of the tag 'train': .*\['serve'\].* Name a tag by --tag"),
    ],
)
def test_signatures_and_tags_that_are_not_there(
    name: str, options: dict[str, Any], message: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputsError, match=message) as caught:
        tfexport.export_checkpoint(saved / name, tmp_path / "out", trust=True, **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_options_of_a_signature_for_a_checkpoint_of_transformers(bert: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(TfExportError, match="were passed: trust, signature. It is a checkpoint of transformers"):
        tfexport.export_checkpoint(bert("h5"), tmp_path / "out", trust=True, signature="serving_default")


@pytest.mark.parametrize("name", ["argmax", "argmin", "signbit"])
def test_sign_bits_of_keras_3(name: str, tmp_path: Path) -> None:
    """-0.0 is less than 0.0 to Keras."""
    import keras

    made = keras.Input((4,), name="x")
    operation = getattr(keras.ops, name)
    model = keras.Model(made, operation(made) if name == "signbit" else operation(made, axis=-1))
    x = np.array([[0.0, -0.0, 0.0, -0.0], [1, -2, 3, -4], [-0.0, -0.0, 0.0, -1]], np.float32)
    found = export(model, tmp_path / "out").run({"x": x})
    np.testing.assert_array_equal(next(iter(found.values())), model(x))
