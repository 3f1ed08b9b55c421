"""Conversion of a concrete function to a GraphDef without functions, resources or weights.

A graph needs the shapes of its weights, not their values. Functions are inlined and grappler runs while the variables are
still resources; later, grappler would allocate a zero tensor for every placeholder of known shape. Then each resource becomes
a plain placeholder of the variable's dtype, and each read of it disappears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants
from tf2onnx import tf_loader

from tfexport.backends.tensorflow.function_names import name_by_callers
from tfexport.backends.tensorflow.resources import resources_to_placeholders
from tfexport.backends.tensorflow.weights import variable_tensor
from tfexport.processes.patching import PatchingSpec, patched

_PREPARE = "disable_lower_using_switch_merge"
_XLA = "_XlaMustCompile"
LARGE_CONSTANT_BYTES = 64 * 1024
"""Smallest size at which an eager tensor that a model captures (a table made in ``__init__``) is a weight. Smaller ones are
constants, because converters need their values."""


@dataclass(frozen=True)
class WeightlessGraphDef:
    """A GraphDef whose weights are placeholders.

    Attributes:
        graph_def: GraphDef without function calls or resources.
        weights: Named tensor of each weight placeholder, by the placeholder's name.
    """

    graph_def: Any
    weights: Mapping[str, ir.TensorProtocol]


def without_weights(function: Any, scope: str = "") -> WeightlessGraphDef:
    """Inline, optimise, and replace variables by placeholders.

    Args:
        function: A concrete function.
        scope: The model's own name, with which the names of its variables begin.

    Raises:
        UnsupportedOpError: A variable is an input of an op that does more than read, for example an assignment.
    """
    prepare = PatchingSpec(convert_to_constants, _PREPARE, _without_xla(getattr(convert_to_constants, _PREPARE)))
    with patched([prepare]):
        # TensorFlow 2.21 has no public way to inline a concrete function without freezing its variables.
        inlined = convert_to_constants._run_inline_graph_optimization(
            function, lower_control_flow=False, aggressive_inlining=True
        )
    variables = _captured_variables(function)
    constants = _captured_constants(function)
    graph_def = _constants_in_place(inlined, constants)
    graph_def = _grappler(graph_def, [tensor.name for tensor in function.outputs])
    graph_def = resources_to_placeholders(graph_def, variables)
    name_by_callers(graph_def)
    weights: dict[str, ir.TensorProtocol] = {
        name: variable_tensor(variable, scope) for name, variable in variables.items()
    }
    weights |= {name: ir.Tensor(value, name=name) for name, value in constants.items() if _is_weight(value)}
    present = {node.name for node in graph_def.node if node.op == "Placeholder"}
    return WeightlessGraphDef(graph_def, {name: tensor for name, tensor in weights.items() if name in present})


def _without_xla(prepare: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the preparation of a GraphDef for inlining, with no function left that XLA must compile.

    TensorFlow never inlines such a function. Both versions of Keras compute grouped convolutions in such functions, because
    TensorFlow once could not compute them on a CPU.
    """

    def prepared(graph_def: Any) -> Any:
        graph_def = prepare(graph_def)
        functions = graph_def.library.function
        for each in (*graph_def.node, *functions, *(node for function in functions for node in function.node_def)):
            each.attr.pop(_XLA, None)
        return graph_def

    return prepared


def _captured_variables(function: Any) -> dict[str, Any]:
    by_handle = {id(variable.handle): variable for variable in function.graph.variables}
    return {inner.op.name: by_handle[id(outer)] for outer, inner in function.graph.captures if id(outer) in by_handle}


def _captured_constants(function: Any) -> dict[str, np.ndarray]:
    return {inner.op.name: outer.numpy() for outer, inner in function.graph.captures if outer.dtype != tf.resource}


def _is_weight(value: np.ndarray) -> bool:
    return value.nbytes >= LARGE_CONSTANT_BYTES


def _constants_in_place(graph_def: Any, constants: Mapping[str, np.ndarray]) -> Any:
    for node in graph_def.node:
        value = constants.get(node.name)
        if value is not None and node.op == "Placeholder" and not _is_weight(value):
            name = node.name
            node.Clear()
            node.name, node.op = name, "Const"
            node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return graph_def


def _grappler(graph_def: Any, outputs: list[str]) -> Any:
    with tf.Graph().as_default():
        placeholders = [f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder"]
        return tf_loader.tf_optimize(placeholders, outputs, graph_def)
