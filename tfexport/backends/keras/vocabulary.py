"""What a file may name for a Keras to load it: the public classes and functions of that Keras that only compute.

Keras 3 and tf_keras resolve names differently, and both resolve more than files need: tf_keras imports any module
that a file names and takes any object in it. So each Keras is asked for everything that it could take for a name, and
all of that must be allowed.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any

from tfexport.backends.keras.tensorflow_ops import NODES, computes, words

EXTENSIONS = ("keras_hub", "keras_nlp", "keras_cv")
"""Packages of the Keras team whose registered layers a file may name."""
_OF_THE_KERAS_TEAM = ("keras", "tf_keras", "tensorflow", *EXTENSIONS)
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "DenseFeatures")
"""Public layers that hold code: Python, a program of TensorFlow or PyTorch, a function that is called by its name."""
_GROUPS = (
    "layers",
    "initializers",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "optimizers.legacy",
    "dtype_policies",
    "mixed_precision",
    "quantizers",
    "models",
    "",
)
"""Public modules whose classes a file may name; the last one is the package itself."""
_BASES = (
    "Operation",
    "layers.Layer",
    "layers.InputSpec",
    "initializers.Initializer",
    "regularizers.Regularizer",
    "constraints.Constraint",
    "losses.Loss",
    "metrics.Metric",
    "optimizers.Optimizer",
    "optimizers.legacy.Optimizer",
    "optimizers.schedules.LearningRateSchedule",
    "dtype_policies.DTypePolicy",
    "dtype_policies.DTypePolicyMap",
    "mixed_precision.Policy",
    "quantizers.Quantizer",
    "quantizers.QuantizationConfig",
)
"""Classes from which an allowed class inherits."""
_FUNCTIONS = ("activations", "initializers", "regularizers", "constraints", "losses", "metrics", "ops")
"""Public modules whose functions a file may name."""
_NOT_COMPUTING = ("get", "serialize", "deserialize")
"""Functions in these modules that make objects from configurations."""
_OF_TF_KERAS = words("""
    AddLoss AddMetric BatchNormalizationV1 BatchNormalizationV2 CuDNNGRU CuDNNLSTM Functional GRUCellV1 GRUCellV2 GRUV1 GRUV2
    LSTMCellV1 LSTMCellV2 LSTMV1 LSTMV2 SyncBatchNormalization
    """)
"""Layers that tf_keras writes and does not export. Its other such layers call a method or a function that the file names."""
_FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
_NODE = "TensorFlowOpLayer"
OP_LAYERS = (*_FUNCTION_LAYERS, _NODE)
"""Layers of tf_keras that call a function of TensorFlow, or run one of its ops."""
_CONTAINERS = words(
    "__keras_tensor__ __tensor__ __numpy__ __bytes__ __ellipsis__ __slice__ __tuple__ TensorShape TypeSpec CompositeTensor"
)
"""Names of values that are not objects of Keras."""
_SPECS = ("TensorSpec", "RaggedTensorSpec", "SparseTensorSpec")
_SPEC_MODULES = ("tensorflow.python.framework.", "tensorflow.python.ops.ragged.")


class Vocabulary:
    """Everything that a file may name for one Keras.

    Args:
        keras: Keras 3 or tf_keras, imported.
    """

    def __init__(self, keras: ModuleType) -> None:
        self._keras = keras
        self._package = keras.__name__
        self._bases = tuple(base for path in _BASES if isinstance(base := self._public(path), type))
        self._code = tuple(layer for name in _CODE if isinstance(layer := self._public(f"layers.{name}"), type))

    def allows(self, item: Mapping[str, Any]) -> bool:
        """Return whether an object of a configuration, a mapping with a ``class_name``, names only what is allowed."""
        name, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
        if not all(value is None or isinstance(value, str) for value in (name, module, registered)) or not name:
            return False
        if name == "function":
            return self._allows_function(item.get("config"), module, registered)
        if name == "__typespec__":
            spec = item.get("spec_name")
            return spec in _SPECS and registered is None and str(module).startswith(_SPEC_MODULES)
        if self._is_the_users(registered or name):
            return not name.startswith("__") and not self._is_another_layer(name)
        if registered not in (None, name) and not self._is_of_an_extension(registered):
            return False
        if name in _CONTAINERS:
            return module is None and (name != "TypeSpec" or str(item.get("type_spec")).removeprefix("tf.") in _SPECS)
        if name in OP_LAYERS:
            return self._is_ours(module) and op_computes(item)  # Keras 3 lacks them, and refuses the file itself
        return self._allows_class(name, module, registered)

    def allows_text(self, name: str) -> bool:
        """Return whether a text that stands for a function, such as that of an activation, names only what is allowed."""
        return name.isidentifier() or self._is_the_users(name) or self._is_of_an_extension(name)

    def _allows_class(self, name: str, module: str | None, registered: str | None) -> bool:
        found = [value for value in self._named(name, module) if value is not None]
        of_registry = self._registered(registered or name)
        if of_registry is not None:
            found.append(of_registry)
        elif module is not None and self._resolved(name, module) is None and self._exists(module):
            return False
        return bool(found) and all(self._is_allowed(value) for value in found)

    def _allows_function(self, name: Any, module: str | None, registered: str | None) -> bool:
        if not isinstance(name, str):
            return False
        if self._is_the_users(name) and (registered in (None, name, "function") or self._is_the_users(registered)):
            return True
        if self._is_of_an_extension(name) and registered in (None, name):
            return True
        if not name.isidentifier() or name in _NOT_COMPUTING or registered not in (None, name, "function"):
            return False
        public = [value for group in _FUNCTIONS if (value := self._public(f"{group}.{name}")) is not None]
        if module in (None, "builtins"):
            # A name that is nowhere is that of the user's own loss: neither Keras resolves it, and it is not needed.
            return bool(public) or not (hasattr(builtins, name) or self._is_a_suffix(name))
        found = self._resolved(name, module)
        return isinstance(found, FunctionType) and any(found is value for value in public)

    def _named(self, name: str, module: str | None) -> Iterator[Any]:
        """Yield everything that this Keras could take for the name of a class."""
        if not name.isidentifier():
            return
        for group in _GROUPS:
            yield self._public(f"{group}.{name}".removeprefix("."))
        if module is not None:
            yield self._resolved(name, module)
        if self._package == "tf_keras":
            if name in _OF_TF_KERAS:
                yield _layer_of_tf_keras(name)
        elif name == "Functional":
            yield vars(sys.modules["keras.src.models.functional"])[name]

    def _is_allowed(self, value: Any) -> bool:
        if not isinstance(value, type) or issubclass(value, self._code):
            return False
        return issubclass(value, self._bases) or _package_of(value) in EXTENSIONS

    def _is_another_layer(self, name: str) -> bool:
        """Return whether the name of a user's class is also that of a layer that is not allowed. The older formats take that."""
        return name in OP_LAYERS or not all(
            self._is_allowed(value) for value in self._built_in(name) if value is not None
        )

    def _built_in(self, name: str) -> Iterator[Any]:
        """Yield what the older formats, which do not name a module, take for the name of a layer."""
        if self._package == "tf_keras":
            yield _layer_of_tf_keras(name)
        else:
            yield vars(sys.modules["keras.src.layers"]).get(name)

    def _public(self, path: str) -> Any:
        """Return a public object of this Keras by its path; None where it lacks the object."""
        value: Any = self._keras
        for part in path.split("."):
            value = None if part.startswith("_") else getattr(value, part, None)
            if value is None:
                return None
        return value

    def _resolved(self, name: str, module: str) -> Any:
        """Return an object of a module of this Keras; None where the module is another's, or lacks the object."""
        if not self._is_ours(module) or not name.isidentifier():
            return None
        path = module.partition(".")[2]
        if self._package == "tf_keras" and name in _OF_TF_KERAS:
            return _layer_of_tf_keras(name)
        loaded = sys.modules.get(f"{self._package}.{path}" if path else self._package)
        found = None if loaded is None else vars(loaded).get(name)
        return found if found is not None else self._public(f"{path}.{name}".removeprefix("."))

    def _is_ours(self, module: str | None) -> bool:
        """Return whether a module is one of this Keras. Keras 2, whose files tf_keras loads, had the name of Keras 3."""
        if module is None:
            return True
        package, *parts = module.split(".")
        names = ("keras", "tf_keras") if self._package == "tf_keras" else ("keras",)
        return package in names and all(part.isidentifier() for part in parts)

    def _exists(self, module: str) -> bool:
        """Return whether a module could be imported. For one that cannot, tf_keras takes the public class of that name."""
        if not self._is_ours(module):
            return True
        try:
            return find_spec(".".join([self._package, *module.split(".")[1:]])) is not None
        except (ImportError, AttributeError, ValueError):  # its parent does not exist, or is not a package
            return False

    def _registered(self, name: str) -> Any:
        return self._keras.saving.get_registered_object(name)

    def _is_the_users(self, name: str) -> bool:
        """Return whether a name is registered for an object that is not of the Keras team: the user's program imported it."""
        found = self._registered(name)
        return found is not None and _package_of(found) not in _OF_THE_KERAS_TEAM

    def _is_of_an_extension(self, name: str) -> bool:
        found = self._registered(name)
        return found is not None and _package_of(found) in EXTENSIONS

    def _is_a_suffix(self, name: str) -> bool:
        """Return whether a name is the last part of a registered name. Keras 3 takes it for the whole name."""
        return any(str(each).endswith(f">{name}") for each in self._keras.saving.get_custom_objects())


def op_computes(item: Mapping[str, Any]) -> bool:
    """Return whether an op layer of tf_keras calls a function, or runs an op, that only computes."""
    config = item.get("config")
    if not isinstance(config, Mapping):
        return False
    if item["class_name"] in _FUNCTION_LAYERS:
        return computes(config.get("function"))
    node = config.get("node_def")
    return isinstance(node, Mapping) and node.get("op") in NODES


def _layer_of_tf_keras(name: str) -> Any:
    return sys.modules["tf_keras.src.layers.serialization"].get_builtin_layer(name)


def _package_of(value: Any) -> str:
    return str(getattr(value, "__module__", "")).partition(".")[0]
