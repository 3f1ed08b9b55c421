"""What a file may name for Keras 3 and tf_keras, and what counts as code. Nothing is loaded here: the list alone decides."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")
tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")
tf_keras = pytest.importorskip("tf_keras", reason="the TensorFlow backend's tests need TensorFlow")

from tests.signature_models.support import save  # noqa: E402
from tfexport.backends.keras.code import code_in  # noqa: E402
from tfexport.backends.keras.tensorflow_ops import computes  # noqa: E402
from tfexport.backends.keras.tensorflow_ops import words as listed  # noqa: E402
from tfexport.backends.keras.vocabulary import Vocabulary  # noqa: E402

KERAS, TF_KERAS = Vocabulary(keras), Vocabulary(tf_keras)
BOTH = pytest.mark.parametrize("vocabulary", [KERAS, TF_KERAS], ids=["keras", "tf_keras"])
OP_LAYER = "tf_keras.src.layers.core.tf_op_layer"


def _layer(class_name: Any, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": "odd", **config}}


def _model(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "model", "layers": list(layers)}}


def _function(module: str | None, name: Any, registered: Any = None) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered or name}


def _of(module: Any, layer: dict[str, Any], registered: Any = None) -> dict[str, Any]:
    return {"module": module, "registered_name": registered, **layer}


WRITES = {"name": "odd", "function": "io.write_file"}
CODE: dict[str, tuple[Any, str]] = {
    "lambda": (_layer("Lambda", function=["4wEA", None, None]), "Lambda"),
    "lambda of a module": (_of("keras.layers", _layer("Lambda")), "(Lambda)"),
    "lambda of its private module": (
        _of("keras.src.layers.core.lambda_layer", _layer("Lambda"), "Lambda"),
        "(Lambda)",
    ),
    "lambda by the name of another": (_of("keras.layers", _layer("Dense"), "Lambda"), "(Dense as Lambda)"),
    "SavedModel": (_layer("TFSMLayer", filepath="/tmp"), "TFSMLayer"),
    "PyTorch": (_layer("TorchModuleWrapper"), "TorchModuleWrapper"),
    "JAX": (_layer("JaxLayer"), "JaxLayer"),
    "lambda as an activation": (_layer("Dense", activation=_layer("__lambda__", value="x")), "__lambda__"),
    "function of the system": (_layer("Dense", activation=_function("os", "system")), "os.system"),
    "built-in function": (_layer("Dense", activation=_function("builtins", "eval")), "builtins.eval"),
    "built-in function by its alias": (
        _layer("Dense", activation=_function("builtins", "mine", "eval")),
        "builtins.mine as eval",
    ),
    "download": (_layer("Dense", activation=_function("keras.utils", "get_file")), "keras.utils.get_file"),
    "loader": (_layer("Dense", activation=_function("keras.saving", "load_model")), "keras.saving.load_model"),
    "deserialiser": (
        _layer("Dense", activation=_function("keras.activations", "deserialize")),
        "keras.activations.deserialize",
    ),
    "unmarshaller": (
        _layer("Dense", activation=_function("tf_keras.src.utils.generic_utils", "func_load")),
        "tf_keras.src.utils.generic_utils.func_load",
    ),
    "function behind a module": (
        _layer("Dense", activation=_function("tf_keras.src.activations", "tf.load_library", "Custom>Adam")),
        "tf_keras.src.activations.tf.load_library as Custom>Adam",
    ),
    "function of a module of TensorFlow": (
        _layer("Dense", activation=_function("tensorflow.python.ops.io_ops", "read_file", "Custom>Adam")),
        "tensorflow.python.ops.io_ops.read_file as Custom>Adam",
    ),
    "exit": (_layer("Dense", activation=_function("tf_keras.src.activations", "sys.exit")), "sys.exit"),
    "function that is a list": (_layer("Dense", activation=_function("builtins", ["eval"])), "builtins.['eval']"),
    "activation as a text with a dot": (_layer("Dense", activation="tf.load_library"), "tf.load_library"),
    "initializer as a registered text": (_layer("Dense", kernel_initializer="Custom>Adam"), "Custom>Adam"),
    "constraint of a module": (_layer("Dense", bias_constraint=_of("os", _layer("system"))), "os.system"),
    "deserialiser as a regularizer": (_layer("Dense", bias_regularizer=_layer("deserialize")), "deserialize"),
    "function as a class": (
        _of("tf_keras.src.utils.generic_utils", _layer("func_load")),
        "(func_load)",
    ),
    "process": (_of("subprocess", _layer("Popen")), "subprocess.Popen"),
    "package with nearly the name": (_of("kerassy.layers", _layer("Dense")), "kerassy.layers.Dense"),
    "private module of another": (_of("os", _layer("Dense")), "os.Dense"),
    "module that is a number": (_of(5, _layer("Dense")), "5.Dense"),
    "module with a relative name": (_of("keras..os", _layer("Dense")), "(Dense)"),
    "class that is a list": (_layer(["Dense"]), "['Dense']"),
    "class that is null": (_layer(None), ""),
    "class with a dot": (_of("keras.layers", _layer("os.system")), "(os.system)"),
    "class of no layer": (_of("keras", _layer("Variable")), "(Variable)"),
    "callback": (_of("keras.callbacks", _layer("ModelCheckpoint")), "(ModelCheckpoint)"),
    "class of the user's": (_of("mine.layers", _layer("Odd"), "mine>Odd"), "mine.layers.Odd"),
    "class without a module": (_layer("Odd"), "Odd"),
    "alias of tf_keras's own": (
        _of(OP_LAYER, {"class_name": "Custom>Adam", "config": WRITES}, "TFOpLambda"),
        "Custom>Adam as TFOpLambda",
    ),
    "alias of a function": (_of("os", _layer("TensorShape"), "system"), "os.TensorShape as system"),
    "value of a module": (_of("os", _layer("__tuple__"), "__tuple__"), "os.__tuple__"),
    "tensor's type of a module": (
        {
            "class_name": "__typespec__",
            "spec_name": "Popen",
            "module": "subprocess",
            "registered_name": None,
            "config": [],
        },
        "subprocess.__typespec__",
    ),
    "tensor's type of the registry": ({"class_name": "TypeSpec", "type_spec": "tf.VariableSpec"}, "TypeSpec"),
    "op": (_layer("TFOpLambda", function="io.read_file"), "TFOpLambda of tf.io.read_file"),
    "op of version 1": (_layer("TFOpLambda", function="compat.v1.write_file"), "TFOpLambda of tf.compat.v1.write_file"),
    "native code": (
        _layer("TFOpLambda", function="compat.v1.load_file_system_library"),
        "TFOpLambda of tf.compat.v1.load_file_system_library",
    ),
    "session": (_layer("TFOpLambda", function="compat.v1.Session"), "TFOpLambda of tf.compat.v1.Session"),
    "op as a slice": (_layer("SlicingOpLambda", function="io.write_file"), "SlicingOpLambda of tf.io.write_file"),
    "op that runs Python": (_layer("TFOpLambda", function="py_function"), "TFOpLambda of tf.py_function"),
    "op of two prefixes": (
        _layer("TFOpLambda", function="compat.v1.compat.v1.write_file"),
        "TFOpLambda of tf.compat.v1.compat.v1.write_file",
    ),
    "op of Keras": (
        _layer("TFOpLambda", function="keras.models.load_model"),
        "TFOpLambda of tf.keras.models.load_model",
    ),
    "op that reads a list of words": (
        _layer("TFOpLambda", function="nn.fixed_unigram_candidate_sampler"),
        "TFOpLambda of tf.nn.fixed_unigram_candidate_sampler",
    ),
    "op of raw ops": (_layer("TFOpLambda", function="raw_ops.WriteFile"), "TFOpLambda of tf.raw_ops.WriteFile"),
    "op without a name": (_layer("TFOpLambda"), "TFOpLambda of tf."),
    "op that is a list": (_layer("TFOpLambda", function=["nn.relu"]), "TFOpLambda of tf.['nn.relu']"),
    "op with the config of another": ({"class_name": "TFOpLambda", "config": None}, "TFOpLambda of tf."),
    "op of another module": (
        _of("os", _layer("TFOpLambda", function="nn.relu"), "TFOpLambda"),
        "TFOpLambda of tf.nn.relu",
    ),
    "node of a graph": (
        _layer("TensorFlowOpLayer", node_def={"name": "x", "op": "WriteFile"}),
        "TensorFlowOpLayer of tf.raw_ops.WriteFile",
    ),
    "node of a graph as bytes": (_layer("TensorFlowOpLayer", node_def="\n\x01x"), "TensorFlowOpLayer of tf."),
    "method of a class": (_layer("ClassMethod", cls_symbol="io.TFRecordWriter", method_name="close"), "ClassMethod"),
    "method of a tensor": (_layer("InstanceMethod", attr_name="numpy"), "InstanceMethod"),
    "attribute of a tensor": (_layer("InstanceProperty", attr_name="graph"), "InstanceProperty"),
    "cell that unmarshals": (_layer("ResidualWrapper", residual_fn="4wEA"), "ResidualWrapper"),
    "cell that unmarshals too": (_layer("DropoutWrapper"), "DropoutWrapper"),
    "features": (_layer("DenseFeatures"), "DenseFeatures"),
    "file of words": (_layer("StringLookup", vocabulary="/etc/passwd"), "the file /etc/passwd"),
}


@BOTH
@pytest.mark.parametrize("name", CODE)
def test_code(name: str, vocabulary: Vocabulary) -> None:
    """However deep: in a model, in a layer that wraps it, in what builds or compiles a model, in the argument of a call."""
    item, expected = CODE[name]
    holders: list[Any] = [
        _model(item),
        _model(_model(_layer("TimeDistributed", name="odd", layer=item))),
        _model({**_layer("Dense"), "build_config": {"input_shape": item}}),
        {**_model(), "compile_config": {"loss": [{"y": item}]}},
        _model({**_layer("Dense"), "inbound_nodes": [{"args": [item], "kwargs": {}}]}),
        {"class_name": "Sequential", "config": [item]},
    ]
    for holder in holders:
        found = code_in(holder, vocabulary)
        assert len(found) == 1, found
        assert expected in found[0]


HARMLESS: dict[str, Any] = {
    "text": _layer("Dense", activation="relu", kernel_initializer="glorot_uniform"),
    "function": _layer("Dense", activation=_function("builtins", "relu")),
    "function of a module": _layer("Dense", activation=_function("keras.activations", "relu")),
    "function of nothing": _layer("Dense", activation=_function("builtins", "my_loss", "function")),
    "class of a module": _of("keras.layers", _layer("Dense")),
    "class of Keras 2": _layer("Dense", kernel_initializer=_layer("GlorotUniform", seed=None)),
    "class with its own name": _of("keras.layers", _layer("Dense"), "Dense"),
    "shape": _layer("InputLayer", batch_input_shape={"class_name": "__tuple__", "items": [None, 6]}),
    "call": {**_layer("Dense"), "inbound_nodes": [{"args": [_layer("__keras_tensor__", shape=[None, 6])]}]},
    "array": _layer("Dense", kernel_initializer=_layer("Constant", value={"class_name": "__numpy__", "config": {}})),
    "type": {"class_name": "TypeSpec", "type_spec": "tf.TensorSpec", "serialized": []},
    "op": _layer("TFOpLambda", function="nn.relu"),
    "op at the top": _layer("TFOpLambda", function="concat"),
    "op of version 1": _layer("TFOpLambda", function="compat.v1.transpose"),
    "operator": _layer("TFOpLambda", function="__operators__.add"),
    "slice": _layer("SlicingOpLambda", function="__operators__.getitem"),
    "node of a graph": _layer("TensorFlowOpLayer", node_def={"name": "x", "op": "AddV2"}),
    "name of a layer": _layer("Dense", name="Lambda", note={"function": "Lambda"}),
    "nothing": None,
    "text alone": [1, None, "Lambda"],
}


@BOTH
@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_code(name: str, vocabulary: Vocabulary) -> None:
    assert code_in(_model(HARMLESS[name]), vocabulary) == []


def test_only_one_of_them_may_allow_it() -> None:
    """Keras 3 lacks what Keras 2 wrote, and tf_keras the operations of Keras 3."""
    old, new = _layer("CuDNNLSTM"), _of("keras.src.ops.numpy", _layer("GetItem"), "GetItem")
    assert (code_in(old, KERAS), code_in(old, TF_KERAS)) == (["odd (CuDNNLSTM)"], [])
    assert (code_in(new, KERAS), code_in(new, TF_KERAS)) == ([], ["odd (GetItem)"])


@BOTH
def test_every_public_class_is_known(vocabulary: Vocabulary) -> None:
    """But for those that hold code, and the values that are not objects."""
    package = keras if vocabulary is KERAS else tf_keras
    refused = set()
    for group in ("layers", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"):
        module = getattr(package, group)
        for name in dir(module):
            if isinstance(getattr(module, name), type) and not vocabulary.allows(
                _of(f"keras.{group}", {"class_name": name, "config": {}})
            ):
                refused.add(name)
    of_keras = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "OptimizerMap"}
    assert refused == (of_keras if package is keras else {"Lambda", "DenseFeatures", "Reduction"})


def test_no_function_of_tensorflow_that_reads_or_writes_is_known() -> None:
    """Every name in TensorFlow's own table; the words are those that its functions of that kind have in their names."""
    from tensorflow.python.util import tf_export

    table = tf_export._NAME_TO_SYMBOL_MAPPING
    known = {name for name in table if computes(name)}
    assert len(known) > 500
    words = sorted(
        listed("file read write load save restore print py_func numpy_function session rpc xla dump unigram")
    )
    assert [name for name in known if any(word in name.lower() for word in words)] == []
    assert not [name for name in known if isinstance(table[name], type)]


def _config(file: Path) -> Any:
    if file.suffix == ".keras":
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(file) as opened:
        return json.loads(opened.attrs["model_config"])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_keras_itself_writes(suffix: str, tmp_path: Path) -> None:
    made = keras.Input((6,), name="x")
    y = keras.ops.relu(made + 1) if suffix == ".keras" else made
    y = keras.layers.Dense(4, activation=keras.activations.gelu, kernel_regularizer="l2", dtype="mixed_float16")(y)
    y = keras.layers.Bidirectional(keras.layers.LSTM(3))(keras.layers.Reshape((2, 2))(y))
    model = keras.Model(made, y)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.9)), "mse", metrics=["mae"]
    )
    assert code_in(_config(save(model, tmp_path / f"model{suffix}")), KERAS) == []


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_tf_keras_itself_writes(suffix: str, tmp_path: Path) -> None:
    made = tf_keras.Input((6, 6, 3), name="x")
    y = tf.nn.relu(made[:, 1:] * 2.0 + tf.reduce_mean(made, axis=1, keepdims=True)[:, :1])
    y = tf.image.resize(tf.concat([y, tf.transpose(y, [0, 2, 1, 3])[:, :5, :5]], 2), (4, 4))
    y = tf.where(tf.shape(y)[1] > 2, tf.cast(tf.pad(y, [[0, 0], [1, 1], [0, 0], [0, 0]]), "float32"), tf.zeros([1]))
    y = tf_keras.layers.Dense(3, activation=tf.nn.tanh)(tf.reshape(tf.matmul(y, y, transpose_b=True), (-1, 96)))
    y = tf_keras.layers.Dense(3, kernel_initializer=tf_keras.initializers.HeNormal(), kernel_constraint="non_neg")(y)
    model = tf_keras.Model(made, tf.einsum("bi,bj->bij", y, tf.stop_gradient(y)))
    model.compile(tf_keras.optimizers.Adam(1e-3), "mse", metrics=["mae"])
    assert code_in(_config(save(model, tmp_path / f"model{suffix}")), TF_KERAS) == []


def test_code_that_was_registered_is_the_users_own() -> None:
    config = _of("mine.layers", _layer("OfTheTests"), "tests>OfTheTests")
    assert code_in(config, KERAS) == ["odd (mine.layers.OfTheTests)"]

    class OfTheTests(keras.layers.Layer):  # type: ignore[name-defined, misc]
        pass

    with keras.saving.custom_object_scope({"tests>OfTheTests": OfTheTests, "Mine": OfTheTests}):
        assert code_in(config, KERAS) == []
        assert code_in(_layer("Mine"), KERAS) == []
        assert code_in(config, TF_KERAS) != []  # registered with the other Keras
        for alias in ("Lambda", "TFOpLambda", "__lambda__"):  # the older formats take the class by this name
            assert code_in(_of("mine", _layer(alias), "tests>OfTheTests"), KERAS) != []


def test_each_is_reported_once_and_by_the_layer_around_it() -> None:
    lambdas = [_layer("Lambda", name="first"), _layer("Lambda", name="second"), _layer("Lambda", name="first")]
    assert code_in(_model(*lambdas), KERAS) == ["first (Lambda)", "second (Lambda)"]
    assert code_in({"class_name": "Lambda"}, KERAS) == ["? (Lambda)"]


def test_names_are_bounded() -> None:
    (found,) = code_in(_model(_layer("x" * 100_000, name="y" * 100_000)), KERAS)
    assert len(found) < 400


def test_a_deep_configuration() -> None:
    deep: Any = _layer("Lambda")
    for _ in range(20_000):
        deep = [deep]
    assert code_in(deep, KERAS) == ["odd (Lambda)"]
