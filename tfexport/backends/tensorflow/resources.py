"""Removal of resources from a graph: variables become placeholders of their dtype, and reads of them identities.

This includes the branches and bodies of control flow (Longformer reads weights in a branch). There a resource argument
becomes an argument of the variable's dtype, in a copy of the branch's function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfexport.errors import UnsupportedOpError

_RESOURCE = tf.resource.as_datatype_enum
_INT32 = tf.int32.as_datatype_enum
# op type: (attributes that name its functions, attribute that lists its input dtypes, inputs before those)
_CONTROL_FLOW = {
    "If": (("then_branch", "else_branch"), "Tin", 1),
    "StatelessIf": (("then_branch", "else_branch"), "Tin", 1),
    "While": (("cond", "body"), "T", 0),
    "StatelessWhile": (("cond", "body"), "T", 0),
}


def resources_to_placeholders(graph_def: Any, variables: Mapping[str, Any]) -> Any:
    """Return a copy of a graph without resources.

    Args:
        graph_def: A GraphDef whose resource placeholders are variables.
        variables: The variable behind each resource placeholder, by the placeholder's name.

    Raises:
        UnsupportedOpError: A variable is an input of an op that does more than read, for example an assignment.
    """
    remover = _Remover(graph_def)
    remover.run(variables)
    if remover.unsupported:
        raise UnsupportedOpError(remover.unsupported, converter="the weight-free conversion")
    return remover.result


@dataclass(frozen=True)
class _Variable:
    """The variable behind a resource.

    Attributes:
        dtype: TensorFlow dtype enum.
        shape: TensorShapeProto.
    """

    dtype: int
    shape: Any


class _Remover:
    def __init__(self, graph_def: Any) -> None:
        self._source = graph_def
        self._functions = {function.signature.name: function for function in graph_def.library.function}
        self._replaced: set[str] = set()
        self.result = tf.compat.v1.GraphDef(versions=graph_def.versions)
        self.unsupported: list[tuple[str, str]] = []

    def run(self, variables: Mapping[str, Any]) -> None:
        held = {
            name: _Variable(variable.dtype.as_datatype_enum, variable.shape.as_proto())
            for name, variable in variables.items()
        }
        self._extend_through_identities(self._source.node, held)
        for node in self._source.node:
            if node.name in variables:
                placeholder = self.result.node.add(name=node.name, op="Placeholder")
                placeholder.attr["dtype"].type = held[node.name].dtype
                placeholder.attr["shape"].shape.CopyFrom(held[node.name].shape)
            else:
                self.result.node.extend(self._rewritten(node, held))
        kept = [function for name, function in self._functions.items() if name not in self._replaced]
        self.result.library.function.extend(kept)  # tf2onnx converts every function, called or not
        self.result.library.gradient.extend(self._source.library.gradient)

    def _extend_through_identities(self, nodes: Iterable[Any], held: dict[str, _Variable]) -> None:
        for node in nodes:  # in topological order
            if node.op == "Identity" and node.attr["T"].type == _RESOURCE and _owner(node.input[0]) in held:
                held[node.name] = held[_owner(node.input[0])]

    def _rewritten(self, node: Any, held: Mapping[str, _Variable]) -> list[Any]:
        read = [held.get(_owner(name)) for name in node.input if not name.startswith("^")]
        first = next((item for item in read if item is not None), None)
        if first is None:
            return [node]
        new = type(node)()
        new.CopyFrom(node)
        if node.op == "Identity":
            new.attr["T"].type = first.dtype
        elif node.op == "ReadVariableOp":
            new.Clear()
            new.name, new.op = node.name, "Identity"
            new.input.extend(node.input)
            new.attr["T"].type = node.attr["dtype"].type
        elif node.op == "ResourceGather":
            return self._gather(node)
        elif node.op in _CONTROL_FLOW:
            self._control_flow(new, read)
        else:
            self.unsupported.append((node.op, node.name))
        return [new]

    def _gather(self, node: Any) -> list[Any]:
        batch_dims = node.attr["batch_dims"].i
        axis = type(node)(name=f"{node.name}/axis", op="Const")
        axis.attr["dtype"].type = _INT32
        axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(batch_dims, tf.int32))
        new = type(node)(name=node.name, op="GatherV2")
        # Inside a function an input names its output; at the top level the first output has the name of its node.
        in_function = any(name.count(":") == 2 for name in node.input)
        new.input.extend([*node.input[:2], f"{axis.name}:output:0" if in_function else axis.name, *node.input[2:]])
        new.attr["Tparams"].type = node.attr["dtype"].type
        new.attr["Tindices"].type = node.attr["Tindices"].type
        new.attr["Taxis"].type = _INT32
        new.attr["batch_dims"].i = batch_dims
        return [axis, new]

    def _control_flow(self, node: Any, read: list[_Variable | None]) -> None:
        attributes, types, offset = _CONTROL_FLOW[node.op]
        arguments = read[offset:]
        for index, argument in enumerate(arguments):
            if argument is not None:
                node.attr[types].list.type[index] = argument.dtype
                if node.op in ("While", "StatelessWhile") and node.attr["output_shapes"].list.shape:
                    node.attr["output_shapes"].list.shape[index].CopyFrom(argument.shape)
        for attribute in attributes:
            name = node.attr[attribute].func.name
            self._replaced.add(name)
            node.attr[attribute].func.name = self._function(name, arguments, f"{name}_{node.name}".replace("/", "_"))

    def _function(self, name: str, arguments: list[_Variable | None], new_name: str) -> str:
        function = type(self._functions[name])()
        function.CopyFrom(self._functions[name])
        function.signature.name = new_name
        held: dict[str, _Variable] = {}
        for index, (parameter, argument) in enumerate(zip(function.signature.input_arg, arguments, strict=True)):
            if argument is not None:
                parameter.type = argument.dtype
                held[parameter.name] = argument
                # The resource is a scalar; the argument has the shape of the variable.
                function.arg_attr[index].attr["_output_shapes"].list.ClearField("shape")
                function.arg_attr[index].attr["_output_shapes"].list.shape.add().CopyFrom(argument.shape)
        # The body of a loop returns its invariants.
        for output in function.signature.output_arg:
            if output.type == _RESOURCE:
                output.type = held[_owner(function.ret[output.name])].dtype
        reads = {node.name for node in function.node_def if node.op == "ReadVariableOp"}
        self._extend_through_identities(function.node_def, held)
        nodes = [new for node in function.node_def for new in self._rewritten(node, held)]
        del function.node_def[:]
        function.node_def.extend(nodes)
        for node in function.node_def:
            for index, source in enumerate(node.input):
                node.input[index] = _renamed(source, reads)
        for key in list(function.ret):
            function.ret[key] = _renamed(function.ret[key], reads)
        self.result.library.function.append(function)
        return new_name


def _renamed(source: str, reads: set[str]) -> str:
    """Rename the output ``value`` of a ReadVariableOp to ``output``, that of the Identity in its place."""
    parts = source.split(":")
    return f"{parts[0]}:output:{parts[2]}" if len(parts) == 3 and parts[0] in reads else source


def _owner(tensor: str) -> str:
    return tensor.split(":")[0].removeprefix("^")
