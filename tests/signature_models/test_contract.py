"""Names, order, dtypes and axes of files from live models of both versions of Keras, as ONNX Runtime reports them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfexport
from tests.signature_models.architectures import unet
from tests.signature_models.support import assert_agrees, export, floats, ids, with_weights
from tfexport.errors import ContractError, InputsError, UnsupportedCheckpointError
from tfexport.runtime.errors import runtime_errors

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

PACKAGES = pytest.mark.parametrize("k", [keras, tf_keras], ids=["keras", "tf_keras"])


def _image_model(k: Any) -> Any:
    image = k.Input((None, None, 3), name="image")
    return with_weights(k.Model(image, k.layers.Conv2D(4, 3, padding="same", name="maps")(image)))


def _cast(k: Any, value: Any, dtype: str) -> Any:
    return k.ops.cast(value, dtype) if k is keras else tf.cast(value, dtype)


# Names ---------------------------------------------------------------------------------------------------------------


@PACKAGES
def test_inputs_and_outputs_in_order(k: Any, tmp_path: Path) -> None:
    """The names are not in alphabetical order."""
    zebra, ant = k.Input((4,), name="zebra"), k.Input((3,), name="ant")
    outputs = [k.layers.Dense(2, name="second")(zebra), k.layers.Dense(5, name="first")(ant)]
    model = with_weights(k.Model([zebra, ant], outputs))
    done = export(model, tmp_path / "out")
    assert done.inputs == [("zebra", "tensor(float)", ["batch", 4]), ("ant", "tensor(float)", ["batch", 3])]
    assert done.outputs == [("second", "tensor(float)", ["batch", 2]), ("first", "tensor(float)", ["batch", 5])]
    feeds = {"ant": floats(2, 3), "zebra": floats(2, 4)}
    assert_agrees(done.run(feeds), dict(zip(["second", "first"], model([feeds["zebra"], feeds["ant"]]), strict=True)))


def test_mappings_of_keras_3(tmp_path: Path) -> None:
    inputs = {"zebra": keras.Input((4,), name="zebra"), "ant": keras.Input((3,), name="ant")}
    outputs = {"wide": keras.layers.Dense(5)(inputs["zebra"]), "narrow": keras.layers.Dense(2)(inputs["ant"])}
    model = with_weights(keras.Model(inputs, outputs))
    done = export(model, tmp_path / "out")
    assert [name for name, *_ in done.inputs] == ["zebra", "ant"]
    feeds = {"zebra": floats(2, 4), "ant": floats(2, 3)}
    assert_agrees(done.run(feeds), model(feeds))


def test_nests_of_keras_3(tmp_path: Path) -> None:
    a, b, c = (keras.Input((width,), name=name) for width, name in ((2, "a"), (3, "b"), (4, "c")))
    dense = {name: keras.layers.Dense(3, name=f"of_{name}") for name in "abc"}
    model = keras.Model(
        {"b": b, "rest": [c, {"a": a}]},
        {"sums": [dense["a"](a), (dense["b"](b),)], "alone": {"c": dense["c"](c)}},
    )
    done = export(with_weights(model), tmp_path / "out")
    assert {name: shape[1] for name, _, shape in done.inputs} == {"a": 2, "b": 3, "c": 4}
    feeds = {"a": floats(2, 2), "b": floats(2, 3), "c": floats(2, 4)}
    outputs = model({"b": feeds["b"], "rest": [feeds["c"], {"a": feeds["a"]}]})
    first, (second,) = outputs["sums"]
    assert_agrees(done.run(feeds), {"sums.0": first, "sums.1.0": second, "alone.c": outputs["alone"]["c"]})


@PACKAGES
def test_an_output_of_two_uses_and_one_that_is_an_input(k: Any, tmp_path: Path) -> None:
    """In a graph of ONNX each value has its own name."""
    x = k.Input((4,), name="x")
    y = k.layers.Dense(2, name="y")(x)
    model = with_weights(k.Model(x, [y, y, x]))
    done = export(model, tmp_path / "out")
    found = done.run({"x": floats(2, 4)})
    assert len(found) == 3
    assert not set(found) & {"x", "Identity"}
    assert "y" in found
    for value, expected in zip(found.values(), model(floats(2, 4)), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)


@PACKAGES
def test_an_input_that_nothing_reads(k: Any, tmp_path: Path) -> None:
    x, unused = k.Input((4,), name="x"), k.Input((7,), name="unused")
    model = with_weights(k.Model([unused, x], k.layers.Dense(2, name="y")(x)))
    done = export(model, tmp_path / "out")
    assert [name for name, *_ in done.inputs] == ["unused", "x"]
    feeds = {"unused": floats(2, 7), "x": floats(2, 4)}
    assert_agrees(done.run(feeds), {"y": model([feeds["unused"], feeds["x"]])})


@PACKAGES
def test_a_model_that_is_python_code(k: Any, tmp_path: Path) -> None:
    class Written(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = k.layers.Dense(3)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.dense(x["left"]) if training else (self.dense(x["left"]), x["right"] * 2)

    model = Written()
    with pytest.raises(InputsError) as caught:
        tfexport.export_checkpoint(model, tmp_path / "out")
    assert "was never called" in str(caught.value)
    assert "input_signature" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    feeds = {"left": floats(2, 4), "right": floats(2, 5)}
    model(feeds)
    done = export(with_weights(model), tmp_path / "out")
    assert {name: shape for name, _, shape in done.inputs} == {"left": ["batch", 4], "right": ["batch", 5]}
    assert_agrees(done.run(feeds), dict(zip(["output_0", "output_1"], model(feeds), strict=True)))


def test_arguments_that_keras_does_not_remember(tmp_path: Path) -> None:
    class Masked(keras.Model):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any, mask_of_x: Any) -> Any:
            return self.dense(x) * keras.ops.cast(mask_of_x, "float32")

    model = Masked()
    model(floats(2, 4), floats(2, 3))
    with pytest.raises(InputsError) as caught:
        tfexport.export_checkpoint(model, tmp_path / "out")
    assert "accepts x, mask_of_x, and Keras does not remember the shape of mask_of_x" in str(caught.value)
    assert "build(x_shape, mask_of_x_shape)" in str(caught.value)
    Masked.build = lambda self, x_shape, mask_of_x_shape: self.dense.build(x_shape)
    model = Masked()
    feeds = {"x": floats(2, 4), "mask_of_x": floats(2, 3)}
    expected = model(**feeds)
    assert_agrees(export(model, tmp_path / "out").run(feeds), {"output": expected})


# Dtypes --------------------------------------------------------------------------------------------------------------


@PACKAGES
@pytest.mark.parametrize(
    ("dtype", "fed", "shown"),
    [
        ("int32", "int64", "tensor(int64)"),
        ("int64", "int64", "tensor(int64)"),
        ("uint8", "uint8", "tensor(uint8)"),
        ("int8", "int8", "tensor(int8)"),
        ("uint16", "uint16", "tensor(uint16)"),
        ("bool", "bool", "tensor(bool)"),
        ("float16", "float16", "tensor(float16)"),
        ("float64", "float64", "tensor(double)"),
    ],
)
def test_dtypes_of_inputs(dtype: str, fed: str, shown: str, k: Any, tmp_path: Path) -> None:
    x = k.Input((4,), dtype=dtype, name="x")
    model = with_weights(
        k.Model(x, k.layers.Dense(3, name="y")(_cast(k, x, "float32") / (1 if dtype == "bool" else 16)))
    )
    done = export(model, tmp_path / "out")
    assert done.inputs == [("x", shown, ["batch", 4])]
    values = floats(3, 4) * 20 if "float" in dtype else ids(2 if dtype == "bool" else 100, 3, 4)
    assert_agrees(done.run({"x": values.astype(fed)}), {"y": model(tf.constant(values.astype(dtype)))})


@PACKAGES
def test_dtypes_of_outputs(k: Any, tmp_path: Path) -> None:
    x = k.Input((4,), name="x")
    model = k.Model(x, [_cast(k, x * 10, "int32"), x > 0, _cast(k, x, "float16")])
    done = export(model, tmp_path / "out")
    assert [kind for _, kind, _ in done.outputs] == ["tensor(int32)", "tensor(bool)", "tensor(float16)"]
    for value, expected in zip(done.run({"x": floats(5, 4)}).values(), model(floats(5, 4)), strict=True):
        np.testing.assert_array_equal(value, expected)


# Axes ----------------------------------------------------------------------------------------------------------------


@PACKAGES
def test_static_axes_refuse_other_lengths(k: Any, tmp_path: Path) -> None:
    image = k.Input((16, None, 3), batch_size=None, name="image")
    model = with_weights(k.Model(image, k.layers.Conv2D(4, 3, padding="same", name="maps")(image)))
    done = export(model, tmp_path / "out")
    assert done.inputs == [("image", "tensor(float)", ["batch", 16, "image_axis_2", 3])]
    assert done.outputs == [("maps", "tensor(float)", ["batch", 16, "image_axis_2", 4])]
    for shape in ((1, 16, 9, 3), (3, 16, 31, 3)):
        assert_agrees(done.run({"image": floats(*shape)}), {"maps": model(floats(*shape))})
    for shape in ((1, 17, 9, 3), (1, 16, 9, 4)):
        with pytest.raises(runtime_errors(), match="Got invalid dimensions for input: image"):
            done.run({"image": floats(*shape)})


@PACKAGES
def test_a_batch_that_is_fixed(k: Any, tmp_path: Path) -> None:
    x = k.Input((4,), batch_size=3, name="x")
    model = with_weights(k.Model(x, k.layers.Dense(2, name="y")(x)))
    done = export(model, tmp_path / "out")
    assert done.inputs == [("x", "tensor(float)", [3, 4])]
    assert_agrees(done.run({"x": floats(3, 4)}), {"y": model(floats(3, 4))})


def test_shapes_and_names_of_the_users(tmp_path: Path) -> None:
    model = _image_model(keras)
    options = {"input_shapes": {"image": [1, 32, "width", None]}, "axis_names": {"maps": {2: "columns"}}}
    done = export(model, tmp_path / "out", **options)
    assert done.inputs == [("image", "tensor(float)", [1, 32, "width", 3])]
    assert done.outputs == [("maps", "tensor(float)", [1, 32, "columns", 4])]
    assert_agrees(done.run({"image": floats(1, 32, 7, 3)}), {"maps": model(floats(1, 32, 7, 3))})
    assert done.manifest["source"]["options"] == {
        "input_shapes": {"image": [1, 32, "width", None]},
        "axis_names": {"maps": {"2": "columns"}},
    }


@pytest.mark.parametrize("every", [True, False])
def test_names_of_axes(every: bool, tmp_path: Path) -> None:
    names = ["n", "height", "width"] if every else [None, None, "width"]
    done = export(_image_model(keras), tmp_path / "out", axis_names={"image": names})
    shown = ["n", "height", "width"] if every else ["batch", "image_axis_1", "width"]
    assert [shape[:3] for *_, shape in (*done.inputs, *done.outputs)] == [shown, shown]


def test_strides_have_names_of_their_own(tmp_path: Path) -> None:
    x = keras.Input((None, 3), name="x")
    model = with_weights(keras.Model(x, keras.layers.Conv1D(4, 3, strides=2, padding="same", name="y")(x)))
    done = export(model, tmp_path / "out")
    assert done.outputs == [("y", "tensor(float)", ["batch", "y_axis_1", 4])]
    for length in (5, 6, 20):
        assert_agrees(done.run({"x": floats(2, length, 3)}), {"y": model(floats(2, length, 3))})


def test_caveats_of_a_unet_name_the_lengths_that_it_accepts(tmp_path: Path) -> None:
    model, feeds = unet(keras)
    done = export(model, tmp_path / "out")
    assert done.manifest["caveats"] == [
        f"the axis image_axis_{axis} must be a multiple of 4: the model fails on the other lengths that were tried."
        for axis in (1, 2)
    ]
    assert_agrees(done.run(feeds), {"mask": model(feeds["image"])}, far=5e-5)


# Channels first ------------------------------------------------------------------------------------------------------


@PACKAGES
@pytest.mark.parametrize(("first", "last"), [(True, False), (False, True), (True, True)])
def test_channels_first(first: bool, last: bool, k: Any, tmp_path: Path) -> None:
    model = _image_model(k)
    options = {"inputs_as_nchw": ["image"] if first else [], "outputs_as_nchw": ["maps"] if last else []}
    done = export(model, tmp_path / "out", **options)
    image = floats(2, 19, 23, 3)
    expected = np.asarray(model(image))
    assert_agrees(
        done.run({"image": image.transpose(0, 3, 1, 2) if first else image}),
        {"maps": expected.transpose(0, 3, 1, 2) if last else expected},
    )
    assert done.inputs[0][2].index(3) == (1 if first else 3)
    assert done.outputs[0][2].index(4) == (1 if last else 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs_as_nchw": ["picture"]}, InputsError, "names picture; the model has x"),
        ({"outputs_as_nchw": ["mask"]}, InputsError, "names mask; the model has y"),
        ({"inputs_as_nchw": ["x"]}, InputsError, r"x float32\[\?, 4\] is not a batch of images"),
        ({"outputs_as_nchw": ["y"]}, ContractError, "the output y has 2 axes: it is not a batch of images"),
        ({"input_shapes": {"x": [None, 5]}}, InputsError, r"has the shape \[\?, 5\] for the input x float32"),
        ({"input_shapes": {"z": [None, 4]}}, InputsError, "names z; the model has x"),
        ({"axis_names": {"x": ["n", "features"]}}, InputsError, r"\(axis_names=...\) names axis 1 of x"),
        ({"axis_names": {"z": ["n"]}}, InputsError, r"\(axis_names=...\) names z; the model has x, y"),
        ({"feature": "masked-lm"}, tfexport.errors.UnsupportedError, "has no features"),
    ],
)
def test_options_that_do_not_fit(options: Any, error: Any, message: str, tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    with pytest.raises(error, match=message) as caught:
        tfexport.export_checkpoint(keras.Model(x, keras.layers.Dense(2, name="y")(x)), tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# What ONNX has no counterpart for ------------------------------------------------------------------------------------


def _looking_up(k: Any, name: str) -> Any:
    made = {
        "StringLookup": lambda: k.layers.StringLookup(vocabulary=["a", "b"], name="table"),
        "TextVectorization": lambda: k.layers.TextVectorization(vocabulary=["a", "b"], name="table"),
        "IntegerLookup": lambda: k.layers.IntegerLookup(vocabulary=[3, 5], name="table"),
    }[name]()
    word = k.Input((1,), dtype="int64" if name == "IntegerLookup" else "string", name="word")
    inside = k.Model(word, made(word), name="inside")
    outer = k.Input((1,), dtype=word.dtype, name="outer")
    return k.Model(outer, k.layers.Embedding(9, 2, name="y")(inside(outer)))


@PACKAGES
@pytest.mark.parametrize("name", ["StringLookup", "TextVectorization", "IntegerLookup"])
def test_tables_of_words(name: str, k: Any, tmp_path: Path) -> None:
    """The layer is in a model in a model."""
    with pytest.raises(UnsupportedCheckpointError) as caught:
        tfexport.export_checkpoint(_looking_up(k, name), tmp_path / "out")
    assert f"table ({name})" in str(caught.value)
    assert "ONNX has no counterpart" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["ragged", "sparse", "sparse of Keras 3", "strings"])
def test_inputs_that_are_no_plain_tensors(kind: str, tmp_path: Path) -> None:
    if kind == "sparse of Keras 3":
        x = keras.Input((4,), sparse=True, name="x")
        model = keras.Model(x, keras.layers.Dense(2)(x))
    elif kind == "strings":
        x = keras.Input((4,), dtype="string", name="x")
        model = keras.Model(x, keras.layers.Flatten()(x))
    else:
        x = tf_keras.Input((4,), name="x", **{kind: True})
        model = tf_keras.Model(x, tf_keras.layers.Dense(2)(x))
    with pytest.raises(UnsupportedCheckpointError) as caught:
        tfexport.export_checkpoint(model, tmp_path / "out")
    text = "takes strings (x)" if kind == "strings" else "ONNX has only dense"
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@PACKAGES
@pytest.mark.parametrize("name", ["two words", "_hidden", "größe", "input:0"])
def test_names_that_tensorflow_does_not_take(name: str, k: Any, tmp_path: Path) -> None:
    if k is tf_keras and name != "_hidden":
        pytest.skip("tf_keras refuses it too")
    x = k.Input((4,), name=name)
    model = with_weights(k.Model(x, k.layers.Dense(3, name="y")(x)))
    done = export(model, tmp_path / "out")
    assert done.inputs == [(name, "tensor(float)", ["batch", 4])]
    assert_agrees(done.run({name: floats(3, 4)}), {"y": model(floats(3, 4))})
