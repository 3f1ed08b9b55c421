"""What counts as code in the configuration of a Keras model."""

from __future__ import annotations

from typing import Any

import pytest

from tfexport.backends.keras.code import code_in

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")


def _layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": "odd", **config}}


def _model(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "model", "layers": list(layers)}}


def _function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (_layer("Lambda", function=["4wEA", None, None]), "odd (Lambda)"),
        (_layer("TFSMLayer", filepath="/tmp"), "odd (TFSMLayer)"),
        (_layer("TorchModuleWrapper"), "odd (TorchModuleWrapper)"),
        (_layer("Dense", activation={"class_name": "__lambda__", "config": {"value": "x"}}), "odd (__lambda__)"),
        (_layer("Dense", activation=_function("os", "system")), "odd (os.system)"),
        (_layer("Dense", activation=_function("builtins", "eval")), "odd (builtins.eval)"),
        (_layer("Dense", activation=_function("keras.utils", "get_file")), "odd (keras.utils.get_file)"),
        (_layer("Dense", activation=_function("keras.saving", "load_model")), "odd (keras.saving.load_model)"),
        (
            _layer("Dense", activation=_function("tf_keras.src.utils.generic_utils", "func_load")),
            "odd (tf_keras.src.utils.generic_utils.func_load)",
        ),
        (
            {"module": "tf_keras.src.utils.generic_utils", **_layer("func_load")},
            "odd (tf_keras.src.utils.generic_utils.func_load)",
        ),
        ({"module": "subprocess", **_layer("Popen")}, "odd (subprocess.Popen)"),
        ({"module": "kerassy.layers", **_layer("Dense")}, "odd (kerassy.layers.Dense)"),
        (_layer("TFOpLambda", function="io.read_file"), "odd (TFOpLambda of tf.io.read_file)"),
        (_layer("TFOpLambda", function="py_function"), "odd (TFOpLambda of tf.py_function)"),
        (_layer("TFOpLambda", function="compat.v1.py_func.x"), "odd (TFOpLambda of tf.compat.v1.py_func.x)"),
        (_layer("TFOpLambda", function="keras.models.load_model"), "odd (TFOpLambda of tf.keras.models.load_model)"),
        (_layer("TFOpLambda"), "odd (TFOpLambda of tf.)"),
    ],
)
def test_code(layer: dict[str, Any], expected: str) -> None:
    """However deep: in a model, in a model in it, and in a layer that wraps it."""
    assert code_in(_model(layer)) == [expected]
    assert code_in(_model(_model(_layer("TimeDistributed", name="outer", layer=layer)))) == [expected]


@pytest.mark.parametrize(
    "layer",
    [
        _layer("Dense", activation="relu"),
        _layer("Dense", activation=_function("builtins", "relu")),
        _layer("Dense", activation=_function("keras.activations", "relu")),
        {"module": "keras.layers", "registered_name": None, **_layer("Dense")},
        {"module": "keras_hub.src.layers.modeling.x", "registered_name": "keras_hub>X", **_layer("Tokens")},
        _layer("TFOpLambda", function="nn.relu"),
        _layer("TFOpLambda", function="concat"),
        _layer("TFOpLambda", function="compat.v1.transpose"),
        _layer("TFOpLambda", function="__operators__.add"),
        _layer("SlicingOpLambda", function="__operators__.getitem"),
        _layer("Dense", name="Lambda", note={"function": "Lambda"}),  # a name is no class
    ],
)
def test_what_is_no_code(layer: dict[str, Any]) -> None:
    assert code_in(_model(layer)) == []


def test_code_that_was_registered_is_the_users_own() -> None:
    config = {"module": "mine.layers", "registered_name": "tests>OfTheTests", **_layer("OfTheTests")}
    assert code_in(config) == ["odd (mine.layers.OfTheTests)"]

    class OfTheTests(keras.layers.Layer):  # type: ignore[name-defined, misc]
        pass

    with keras.saving.custom_object_scope({"tests>OfTheTests": OfTheTests}):
        assert code_in(config) == []


def test_each_is_reported_once_and_by_the_layer_around_it() -> None:
    lambdas = [_layer("Lambda", name="first"), _layer("Lambda", name="second"), _layer("Lambda", name="first")]
    assert code_in(_model(*lambdas)) == ["first (Lambda)", "second (Lambda)"]
    assert code_in({"class_name": "Lambda"}) == ["? (Lambda)"]
    assert code_in([1, None, "Lambda"]) == []
    assert code_in(None) == []
