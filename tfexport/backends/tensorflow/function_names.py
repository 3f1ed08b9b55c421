"""Names of the functions of a GraphDef, which the names in the converted graph begin with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def name_by_callers(graph_def: Any) -> None:
    """Name each function after the node that calls it and after its part in that node, in place.

    TensorFlow numbers functions for the whole process (``while_body_1234``). Functions that no node calls are removed: tf2onnx
    would convert them.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    names: dict[str, str] = {}
    calls = list(_calls(graph_def.node))
    for wanted, call in calls:  # grows: the functions that are called call others
        if call.name in functions and call.name not in names:
            names[call.name] = _unique(wanted, names)
            calls.extend(_calls(functions[call.name].node_def, f"{wanted}_"))
    for _, call in calls:
        call.name = names.get(call.name, call.name)
    kept = []
    for name, new in names.items():
        functions[name].signature.name = new
        kept.append(functions[name])
    gradients = [each for each in graph_def.library.gradient if each.function_name in names]
    for each in gradients:
        each.function_name = names[each.function_name]
        each.gradient_func = names.get(each.gradient_func, each.gradient_func)
    graph_def.library.CopyFrom(type(graph_def.library)(function=kept, gradient=gradients))


def _calls(nodes: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name that each called function gets, and the message that names the function."""
    for node in nodes:
        for key in sorted(node.attr):
            value = node.attr[key]
            listed = [value.func] if value.HasField("func") else value.list.func
            for call in listed:
                yield f"{prefix}{node.name}_{key}".replace("/", "_"), call


def _unique(name: str, taken: dict[str, str]) -> str:
    unique, number = name, 0
    while unique in taken.values():
        number += 1
        unique = f"{name}_{number}"
    return unique
