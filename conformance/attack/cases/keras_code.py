"""Code in Keras files: operators, functions, classes and Lambdas, in every form of file and at every place of a configuration.

Each payload would write the canary while the file is loaded or called. Nothing may run without ``--trust``.
"""

from __future__ import annotations

import base64
import codecs
import io
import json
import marshal
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from conformance.attack.case import Area, Case
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("keras code")
_SOON = Limits(seconds=60)
_TRUST = ("--trust",)
Config = dict[str, Any]
Layer = dict[str, Any]


# What a layer is: operators of TensorFlow, by name and arguments.

_OPERATORS: dict[str, Callable[[str], Mapping[str, Any]]] = {
    "io.write_file": lambda canary: {"filename": canary, "contents": "x"},
    "compat.v1.write_file": lambda canary: {"filename": canary, "contents": "x"},
    "compat.v1.io.write_file": lambda canary: {"filename": canary, "contents": "x"},
    "compat.v2.io.write_file": lambda canary: {"filename": canary, "contents": "x"},
    "raw_ops.WriteFile": lambda canary: {"filename": canary, "contents": "x"},
    "compat.v1.raw_ops.WriteFile": lambda canary: {"filename": canary, "contents": "x"},
    "io.read_file": lambda canary: {"filename": "/etc/hostname"},
    "compat.v1.read_file": lambda canary: {"filename": "/etc/hostname"},
    "io.matching_files": lambda canary: {"pattern": "/etc/*"},
    "compat.v1.matching_files": lambda canary: {"pattern": "/etc/*"},
    "load_library": lambda canary: {"library_location": canary},
    "load_op_library": lambda canary: {"library_filename": canary},
    "compat.v1.load_library": lambda canary: {"library_location": canary},
    "compat.v1.load_op_library": lambda canary: {"library_filename": canary},
    "compat.v1.load_file_system_library": lambda canary: {"library_filename": canary},
    "compat.v1.Session": lambda canary: {"target": canary},
    "compat.v1.InteractiveSession": lambda canary: {"target": canary},
    "compat.v1.py_func": lambda canary: {"func": "print", "inp": [], "Tout": "float32"},
    "py_function": lambda canary: {"func": "print", "inp": [], "Tout": "float32"},
    "numpy_function": lambda canary: {"func": "print", "inp": [], "Tout": "float32"},
    "print": lambda canary: {"output_stream": f"file://{canary}"},
    "compat.v1.Print": lambda canary: {"data": [], "message": canary},
    "io.gfile.GFile": lambda canary: {"name": canary, "mode": "w"},
    "io.gfile.makedirs": lambda canary: {"path": canary},
    "compat.v1.gfile.MakeDirs": lambda canary: {"dirname": canary},
    "io.write_graph": lambda canary: {"graph_or_graph_def": "", "logdir": canary, "name": "x"},
    "saved_model.load": lambda canary: {"export_dir": canary},
    "compat.v1.saved_model.load": lambda canary: {"export_dir": canary},
    "summary.create_file_writer": lambda canary: {"logdir": canary},
    "debugging.experimental.enable_dump_debug_info": lambda canary: {"dump_root": canary},
    "profiler.experimental.start": lambda canary: {"logdir": canary},
    "graph_util.import_graph_def": lambda canary: {"graph_def": canary},
    "import_graph_def": lambda canary: {"graph_def": canary},
    "function": lambda canary: {"func": canary},
    "keras.utils.get_file": lambda canary: {"fname": canary, "origin": "file:///etc/hostname"},
    "keras.models.load_model": lambda canary: {"filepath": canary},
    "data.experimental.load": lambda canary: {"path": canary},
    "train.Checkpoint": lambda canary: {"root": canary},
    "compat.v1.train.import_meta_graph": lambda canary: {"meta_graph_or_file": canary},
    "math.__class__": lambda canary: {},
    "nn.__builtins__": lambda canary: {},
    "__operators__.__class__": lambda canary: {},
    "": lambda canary: {},
    "odd\x1b[2J": lambda canary: {},
    "n" * 100_000: lambda canary: {},
}
_CLASSES: dict[str, Config] = {
    "TFOpLambda": {"class_name": "TFOpLambda"},
    "SlicingOpLambda": {"class_name": "SlicingOpLambda"},
    "TFOpLambda by a registered name": {
        "class_name": "Custom>Adam",
        "registered_name": "TFOpLambda",
        "module": "tf_keras.src.layers.core.tf_op_layer",
    },
    "TFOpLambda by its module": {
        "class_name": "TFOpLambda",
        "registered_name": "TFOpLambda",
        "module": "tf_keras.src.layers.core.tf_op_layer",
    },
    "TFOpLambda behind a package": {
        "class_name": "Odd>TFOpLambda",
        "registered_name": "Odd>TFOpLambda",
        "module": "tf_keras.layers",
    },
}
_NOT_FOUND = ("could not be found",)
_NO_SYMBOLS = ("math.__class__", "__operators__.__class__")
"""Names that tf_keras does not find among the symbols of TensorFlow: nothing is called, and there is nothing to trust."""
_OP_QUICK = ("io.write_file", "compat.v1.write_file", "compat.v1.load_file_system_library")
_FORMS = (".keras", ".h5", ".h5 of Keras 2")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for form in _FORMS:
        for operator, arguments in _OPERATORS.items():
            for kind, named in _CLASSES.items():
                if kind == "TFOpLambda" or operator in _OP_QUICK:
                    yield AREA.case(
                        f"{kind} of {_short(operator)}, {form}",
                        _operator(form, operator, arguments, named),
                        says=_NOT_FOUND if operator in _NO_SYMBOLS else _TRUST,
                        quick=operator in _OP_QUICK[1:2] or (kind == "TFOpLambda" and operator in _OP_QUICK),
                    )
        for name, layer in _LAYERS.items():
            yield AREA.case(f"{name}, {form}", _layer(form, layer), quick=name in _LAYERS_QUICK)
    for form in (".keras", ".keras of Keras 3", ".h5"):
        for module, function in _FUNCTIONS:
            for registered in (None, function, "Custom>Adam"):
                if registered != function or form == ".keras":
                    name = f"the function {module}.{function}, registered as {registered}, {form}"
                    yield AREA.case(
                        name,
                        _activation(form, _function(module, function, registered)),
                        quick=function in _FUNCTIONS_QUICK,
                    )
    for form in (".keras", ".keras of Keras 3"):
        for place in _PLACES:
            for payload, made in _PAYLOADS.items():
                yield AREA.case(
                    f"{payload} in {place}, {form}",
                    _placed(form, place, made),
                    expect=Expectation.SAFE,
                    quick=payload == "a Lambda layer" and place in ("a model in the model", "the activation"),
                )
    for seed in ("lambda-keras3.keras", "lambda-keras3.h5", "lambda-tf-keras.keras", "lambda-tf-keras.h5"):
        yield AREA.change(
            "a saved Lambda, " + seed, lambda file, _: None, seed=seed, says=_TRUST, limits=_SOON, quick=True
        )
        yield AREA.change(
            "a saved Lambda, trusted, " + seed,
            lambda file, _: None,
            seed=seed,
            options=("--trust",),
            expect=Expectation.EXPORTED,
            limits=_SOON,
        )


def _short(name: str) -> str:
    return repr(name if len(name) < 100 else f"{len(name)} letters")


# Files around a configuration.


def _model(*layers: Layer) -> Config:
    """Return a functional model of tf_keras whose layers follow each other."""
    first: Layer = {
        "class_name": "InputLayer",
        "module": "keras.layers",
        "registered_name": None,
        "name": "x",
        "config": {"batch_input_shape": [None, 8], "dtype": "float32", "sparse": False, "ragged": False, "name": "x"},
        "inbound_nodes": [],
    }
    return {
        "class_name": "Functional",
        "module": "tf_keras.src.engine.functional",
        "registered_name": "Functional",
        "config": {
            "name": "model",
            "trainable": True,
            "layers": [first, *layers],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[layers[-1]["name"], 0, 0]],
        },
    }


def _model_of_keras3(layer: Layer) -> Config:
    """Return a sequential model of Keras 3 with one layer."""
    first = {
        "class_name": "InputLayer",
        "module": "keras.layers",
        "registered_name": None,
        "config": {"batch_shape": [None, 8], "dtype": "float32", "name": "x"},
    }
    return {
        "class_name": "Sequential",
        "module": "keras",
        "registered_name": None,
        "config": {"name": "model", "layers": [first, layer]},
    }


def _write(folder: Path, form: str, config: Config) -> Path:
    if form.startswith(".keras"):
        file = folder / "model.keras"
        version = "3.13.2" if form.endswith("3") else "2.21.0"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(
                "metadata.json", json.dumps({"keras_version": version, "date_saved": "2026-01-01@00:00:00"})
            )
            archive.writestr("config.json", json.dumps(config))
            weights = io.BytesIO()
            h5py.File(weights, "w").close()
            archive.writestr("model.weights.h5", weights.getvalue())
        return file
    file = folder / "model.h5"
    with h5py.File(file, "w") as opened:
        old = form.endswith("2")
        opened.attrs["keras_version"] = "2.3.1" if old else "2.21.0"
        opened.attrs["backend"] = "tensorflow"
        opened.attrs["model_config"] = json.dumps(_without_modules(config) if old else config)
        opened.create_group("model_weights").attrs["layer_names"] = []
    return file


def _without_modules(value: Any) -> Any:
    """Return a configuration as Keras 2 wrote it: classes by name alone."""
    if isinstance(value, dict):
        has_class = "class_name" in value
        kept = {k: v for k, v in value.items() if not (has_class and k in ("module", "registered_name") and v is None)}
        return {name: _without_modules(each) for name, each in kept.items()}
    return [_without_modules(each) for each in value] if isinstance(value, list) else value


def _export(sandbox: Sandbox, file: Path) -> Command:
    return tfexport("export", "-m", file, sandbox.out, limits=_SOON)


def _operator(
    form: str, operator: str, arguments: Callable[[str], Mapping[str, Any]], named: Config
) -> Callable[[Sandbox], Command]:
    """Return what writes a model with an operator that is called on constants, and so when the model is loaded."""

    def prepare(sandbox: Sandbox) -> Command:
        given = dict(arguments(str(sandbox.canary)))
        first = given.pop(next(iter(given)), 1.0) if given else 1.0
        layer = {
            "module": "tf_keras.layers",
            "registered_name": None,
            **named,
            "name": "operator",
            "config": {"name": "operator", "trainable": True, "dtype": "float32", "function": operator},
            "inbound_nodes": [["_CONSTANT_VALUE", -1, first, given]],
        }
        dense = _dense("dense", inbound_nodes=[[["x", 0, 0, {}]]])
        return _export(sandbox, _write(sandbox.input, form, _model(layer, dense)))

    return prepare


def _dense(name: str, inbound_nodes: Any = None, **config: Any) -> Layer:
    made: Layer = {
        "class_name": "Dense",
        "module": "keras.layers",
        "registered_name": None,
        "name": name,
        "config": {"name": name, "units": 4, "activation": "linear", **config},
    }
    return made if inbound_nodes is None else {**made, "inbound_nodes": inbound_nodes}


# What a layer is: classes.


def _marshalled(canary: Path) -> str:
    code = compile(f"lambda x: (open({str(canary)!r}, 'w').close(), x)[1]", "<lambda>", "eval").co_consts[0]
    return codecs.encode(marshal.dumps(code), "base64").decode("ascii")


def _named_layer(class_name: str, module: str | None, /, **config: Any) -> Callable[[Path], Layer]:
    return lambda canary: {
        "class_name": class_name,
        "module": module,
        "registered_name": None,
        "name": "odd",
        "config": {"name": "odd", **{key: str(canary) if value is ... else value for key, value in config.items()}},
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }


_LAYERS: dict[str, Callable[[Path], Layer]] = {
    "a Lambda of tf_keras": lambda canary: _lambda_of_tf_keras(canary),
    "a Lambda of Keras 3": lambda canary: _lambda_of_keras3(canary),
    "a Lambda by a registered name": lambda canary: {
        **_lambda_of_tf_keras(canary),
        "class_name": "Custom>Adam",
        "registered_name": "Lambda",
        "module": "tf_keras.src.layers.core.lambda_layer",
    },
    "a Lambda of a function by name": lambda canary: {
        **_lambda_of_tf_keras(canary),
        "config": {"name": "odd", "function": "system", "function_type": "function", "module": "os"},
    },
    "a TFSMLayer": _named_layer("TFSMLayer", "keras.layers", filepath=..., call_endpoint="serve"),
    "a TorchModuleWrapper": _named_layer("TorchModuleWrapper", "keras.layers", output_shape=[4]),
    "a TextVectorization that reads a file": _named_layer(
        "TextVectorization", "keras.layers", vocabulary="/etc/passwd"
    ),
    "a StringLookup that reads a file": _named_layer("StringLookup", "keras.layers", vocabulary="/etc/passwd"),
    "an IntegerLookup that reads a file": _named_layer("IntegerLookup", "keras.layers", vocabulary="/etc/passwd"),
    "subprocess.Popen": _named_layer("Popen", "subprocess", args=["touch", "x"]),
    "os.system": _named_layer("system", "os"),
    "builtins.exec": _named_layer("exec", "builtins"),
    "pathlib.Path": _named_layer("Path", "pathlib"),
    "functools.partial": _named_layer("partial", "functools"),
    "load_model": _named_layer("load_model", "keras.models", filepath=...),
    "the class of a module of the file's folder": _named_layer("Odd", "odd"),
    "a ClassMethod": _named_layer("ClassMethod", "keras.layers"),
    "an optimizer as a layer": _named_layer("Adam", "keras.optimizers"),
    "a callback as a layer": _named_layer("CSVLogger", "keras.callbacks", filename=...),
    "a class that does not exist": _named_layer("Odd\x1b[2J", "keras.layers"),
    "a class that is a list": lambda canary: {**_dense("odd"), "class_name": ["Dense"], "inbound_nodes": []},
    "a module that is a number": lambda canary: {**_dense("odd"), "module": 5, "inbound_nodes": []},
}
_LAYERS_QUICK = ("a Lambda of tf_keras", "a Lambda by a registered name", "a TextVectorization that reads a file")


def _lambda_of_tf_keras(canary: Path) -> Layer:
    return {
        "class_name": "Lambda",
        "module": "keras.layers",
        "registered_name": None,
        "name": "odd",
        "config": {
            "name": "odd",
            "function": [_marshalled(canary), None, None],
            "function_type": "lambda",
            "module": "builtins",
            "output_shape": None,
            "output_shape_type": "raw",
            "output_shape_module": None,
            "arguments": {},
        },
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }


def _lambda_of_keras3(canary: Path) -> Layer:
    layer = _lambda_of_tf_keras(canary)
    code = {"code": _marshalled(canary), "defaults": None, "closure": None}
    return {
        **layer,
        "config": {"name": "odd", "function": {"class_name": "__lambda__", "config": code}, "arguments": {}},
    }


def _layer(form: str, made: Callable[[Path], Layer]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        (sandbox.input / "odd.py").write_text(f"open({str(sandbox.canary)!r}, 'w').close()\nclass Odd: pass\n")
        return _export(sandbox, _write(sandbox.input, form, _model(made(sandbox.canary))))

    return prepare


# Functions, as an activation.

_FUNCTIONS = (
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "call"),
    ("builtins", "exec"),
    ("builtins", "eval"),
    ("builtins", "open"),
    ("builtins", "print"),
    ("builtins", "breakpoint"),
    ("importlib", "import_module"),
    ("shutil", "rmtree"),
    ("keras.utils", "get_file"),
    ("keras.saving", "load_model"),
    ("keras.src.utils.python_utils", "func_load"),
    ("tf_keras.src.utils.generic_utils", "func_load"),
    ("tf_keras.src.activations", "tf.load_library"),
    ("tf_keras.src.activations", "tf.io.read_file"),
    ("tf_keras.activations", "sys.exit"),
    ("tf_keras.src.activations", "sys.exit"),
    ("tf_keras.src.initializers.initializers", "tf.io.gfile.remove"),
    ("tf_keras.src.constraints", "tf.io.read_file"),
    ("tensorflow.python.ops.io_ops", "read_file"),
    ("tensorflow.python.ops.gen_io_ops", "write_file"),
    ("tensorflow.python.ops.script_ops", "py_func"),
    ("tensorflow.raw_ops", "ReadFile"),
    ("tensorflow", "load_library"),
    ("keras.src.ops.core", "sys.exit"),
    ("keras.ops", "os.system"),
    ("keras.activations", "__builtins__"),
    ("keras.activations", "activations.relu.__globals__"),
    ("numpy", "load"),
    ("torch", "load"),
    ("odd", "function"),
)
_FUNCTIONS_QUICK = ("tf.load_library", "sys.exit", "read_file", "write_file")


def _function(module: str, name: str, registered: str | None) -> Config:
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


def _activation(form: str, activation: Config) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        (sandbox.input / "odd.py").write_text(
            f"open({str(sandbox.canary)!r}, 'w').close()\ndef function(x): return x\n"
        )
        if form.endswith("3"):
            config = _model_of_keras3(_dense("dense", activation=activation))
        else:
            config = _model(_dense("dense", inbound_nodes=[[["x", 0, 0, {}]]], activation=activation))
        return _export(sandbox, _write(sandbox.input, form, config))

    return prepare


# Payloads at every place of a configuration.

_PAYLOADS: dict[str, Callable[[Path], Any]] = {
    "a Lambda layer": _lambda_of_tf_keras,
    "a lambda": lambda canary: _lambda_of_keras3(canary)["config"]["function"],
    "os.system": lambda canary: _function("os", "system", None),
    "an operator that writes": lambda canary: {
        "class_name": "TFOpLambda",
        "module": "tf_keras.layers",
        "registered_name": None,
        "config": {"name": "op", "function": "io.write_file"},
    },
    "a pickle": lambda canary: {"class_name": "__bytes__", "config": base64.b64encode(b"cos\nsystem\n").decode()},
}
_PLACES = (
    "the layer",
    "a model in the model",
    "a layer that wraps it",
    "the activation",
    "the kernel initializer",
    "the regularizer",
    "the constraint",
    "the dtype",
    "build_config",
    "compile_config",
    "the arguments of a node",
    "a shared object",
    "a list in a list",
    "the name",
)


def _placed(form: str, place: str, payload: Callable[[Path], Any]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        odd = payload(sandbox.canary)
        keras3 = form.endswith("3")
        config = _with(place, odd, keras3)
        return _export(sandbox, _write(sandbox.input, form, config))

    return prepare


_OPTIONS = {
    "the activation": "activation",
    "the kernel initializer": "kernel_initializer",
    "the regularizer": "kernel_regularizer",
    "the constraint": "bias_constraint",
    "the dtype": "dtype",
    "the name": "name",
    "a list in a list": "odd",
}


def _with(place: str, odd: Any, keras3: bool) -> Config:
    """Return a model with something odd at a place."""

    def around(layer: Layer) -> Config:
        if keras3:
            return _model_of_keras3({key: value for key, value in layer.items() if key != "inbound_nodes"})
        return _model({"inbound_nodes": [[["x", 0, 0, {}]]], **layer})

    if place in _OPTIONS:
        value = [[odd]] if place == "a list in a list" else odd
        return around({**_dense("dense"), "config": {**_dense("dense")["config"], _OPTIONS[place]: value}})
    if place == "the layer":
        return around({"name": "odd", **(odd if isinstance(odd, dict) else {})})
    if place == "a model in the model":
        return around({**around({"name": "odd", **odd}), "name": "inner"})
    if place == "a layer that wraps it":
        wrapper = {"class_name": "TimeDistributed", "module": "keras.layers", "registered_name": None, "name": "outer"}
        return around({**wrapper, "config": {"name": "outer", "layer": odd}})
    dense = around(_dense("dense"))
    if place == "the arguments of a node":
        layer = {**_dense("dense"), "inbound_nodes": [[["x", 0, 0, {"odd": odd}]]]}
        return around(layer) if not keras3 else {**dense, "inbound_nodes": [{"args": [odd], "kwargs": {"odd": odd}}]}
    key = {"build_config": "build_config", "compile_config": "compile_config", "a shared object": "shared_object"}[
        place
    ]
    return {**dense, key: {"input_shape": odd, "loss": odd, "metrics": [odd], "optimizer": odd}}
