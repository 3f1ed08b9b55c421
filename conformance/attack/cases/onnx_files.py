"""ONNX files of others, under ``validate``, ``benchmark`` and as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from conformance.attack.case import Area, Case
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.documents import other_bytes
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("onnx files")
_MODEL = "model.onnx"
_SOON = Limits(seconds=90)
_MEASURED = ("--launches", "1", "--time-limit", "4", "--engines", "ort", "--batch-sizes", "1")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, change in _CHANGES.items():
        quick = name in _QUICK
        yield AREA.case(name, _under(("validate",), change), expect=Expectation.REPORTED, quick=quick)
        yield AREA.case(
            f"{name}, benchmark",
            _under(("benchmark", "run"), change, _MEASURED),
            expect=Expectation.REPORTED,
            quick=quick,
        )
    for number in range(8):
        yield AREA.case(f"{number + 1} other bytes", _under(("validate",), _noise(number)), expect=Expectation.REPORTED)
    for axis in (
        "batch=0",
        "batch=-5",
        f"batch={2**40}",
        f"batch={10**30}",
        "batch=x",
        "=",
        "odd=3",
        "batch",
        "\x1b[2J=1",
    ):
        yield AREA.case(
            f"benchmark with the axis {axis!r}",
            _under(("benchmark", "run"), lambda folder, _: None, (*_MEASURED, "--axis", axis)),
            expect=Expectation.REPORTED,
            quick="2^40" in axis,
        )


def _under(
    command: tuple[str, ...], change: Callable[[Path, Sandbox], object], options: tuple[str, ...] = ()
) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        folder = sandbox.copy("export-foreign")
        change(folder, sandbox)
        return tfexport(*command, folder, *options, limits=_SOON)

    return prepare


def _edited(edit: Callable[[Any, Sandbox], object]) -> Callable[[Path, Sandbox], None]:
    """Return what edits the model of an export."""

    def change(folder: Path, sandbox: Sandbox) -> None:
        model = onnx.load(str(folder / _MODEL), load_external_data=False)
        edit(model, sandbox)
        (folder / _MODEL).write_bytes(model.SerializeToString())

    return change


def _external(**values: str) -> Callable[[Any, Sandbox], None]:
    def edit(model: Any, sandbox: Sandbox) -> None:
        given = {key: value.replace("SECRET", str(sandbox.secret())) for key, value in values.items()}
        entries = {entry.key: entry for entry in model.graph.initializer[0].external_data}
        for key, value in given.items():
            if key in entries:
                entries[key].value = value
            else:
                model.graph.initializer[0].external_data.add(key=key, value=value)

    return edit


def endless(file: Path) -> None:
    """Give a model a Loop of 2^62 steps before its first output."""
    model = onnx.load(str(file))
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Add", ["value", "value"], ["sum"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
    )
    output = model.graph.output[0].name
    producer = next(node for node in model.graph.node if output in node.output)
    producer.output[list(producer.output).index(output)] = "before"
    model.graph.node.extend(
        [
            helper.make_node(
                "Constant", [], ["loop/steps"], value=helper.make_tensor("steps", TensorProto.INT64, [], [2**62])
            ),
            helper.make_node("Constant", [], ["loop/go"], value=helper.make_tensor("go", TensorProto.BOOL, [], [True])),
            helper.make_node("ReduceSum", ["before"], ["loop/value"], keepdims=0),
            helper.make_node("Loop", ["loop/steps", "loop/go", "loop/value"], ["loop/sum"], body=body),
            helper.make_node("Add", ["before", "loop/sum"], [output]),
        ]
    )
    onnx.save(model, str(file))


def _large(model: Any, sandbox: Sandbox) -> None:
    """Replace the graph by an output of 2^40 elements."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2**20, 2**20])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("ConstantOfShape", ["shape"], ["large"]),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Add", ["large", "sum"], ["y"]),
    ]
    _graph(model, nodes, ["a", "b"])


def _graph(model: Any, nodes: list[Any], output: list[Any]) -> None:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
    )
    model.graph.CopyFrom(graph)


def _shape(*shape: Any, side: str = "input") -> Callable[[Any, Sandbox], None]:
    def edit(model: Any, sandbox: Sandbox) -> None:
        value = getattr(model.graph, side)[0]
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape))

    return edit


def _dtype(number: int) -> Callable[[Any, Sandbox], None]:
    def edit(model: Any, sandbox: Sandbox) -> None:
        model.graph.input[0].type.tensor_type.elem_type = number

    return edit


def _named(name: str) -> Callable[[Any, Sandbox], None]:
    """Return what renames everything."""

    def edit(model: Any, sandbox: Sandbox) -> None:
        model.graph.name = model.graph.node[0].name = name
        model.graph.input[0].name = model.graph.node[0].input[0] = name
        model.producer_name = model.doc_string = name

    return edit


def _operator(name: str, domain: str = "") -> Callable[[Any, Sandbox], None]:
    def edit(model: Any, sandbox: Sandbox) -> None:
        model.graph.node[0].op_type, model.graph.node[0].domain = name, domain
        if domain:
            model.opset_import.add(domain=domain, version=1)

    return edit


def _sequence(model: Any, sandbox: Sandbox) -> None:
    value = model.graph.input[0]
    value.CopyFrom(helper.make_tensor_sequence_value_info(value.name, TensorProto.FLOAT, ["batch", 8]))


def _opset(version: int) -> Callable[[Any, Sandbox], None]:
    def edit(model: Any, sandbox: Sandbox) -> None:
        model.opset_import[0].version = version

    return edit


def _deep(model: Any, sandbox: Sandbox) -> None:
    """Nest 200 Ifs in each other: protobuf itself stops at 100."""
    inner = helper.make_node("Identity", ["x"], ["y"])
    for depth in range(30):
        branch = helper.make_graph(
            [inner], f"branch{depth}", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        )
        inner = helper.make_node("If", ["true"], ["y"], then_branch=branch, else_branch=branch)
        if depth > 10:
            break  # both branches: the size doubles with each level
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    _graph(model, [helper.make_node("Constant", [], ["true"], value=true), inner], ["batch", 8])


def _cycle(model: Any, sandbox: Sandbox) -> None:
    model.graph.node[0].input[0] = model.graph.node[0].output[0]


def _function_cycle(model: Any, sandbox: Sandbox) -> None:
    """Add a function that calls itself."""
    call = helper.make_node("Odd", ["a"], ["b"], domain="odd")
    model.functions.append(
        helper.make_function(
            "odd", "Odd", ["a"], ["b"], [call], [helper.make_opsetid("odd", 1), helper.make_opsetid("", 18)]
        )
    )
    _operator("Odd", "odd")(model, sandbox)
    del model.graph.node[0].input[1:]


def _link(folder: Path, sandbox: Sandbox) -> None:
    (folder / "model.onnx_data").unlink()
    (folder / "model.onnx_data").symlink_to(sandbox.secret(4096))


_CHANGES: dict[str, Callable[[Path, Sandbox], object]] = {
    "weights outside the folder": _edited(_external(location="../../secret.bin", offset="0", length="4096")),
    "weights with an absolute name": _edited(_external(location="SECRET", offset="0", length="4096")),
    "weights that are a link out of the folder": _link,
    "weights of a device": _edited(_external(location="/dev/zero")),
    "weights of no name": _edited(_external(location="")),
    "weights at a negative offset": _edited(_external(offset="-8")),
    "weights at an offset of a text": _edited(_external(offset="odd")),
    "weights beyond the file": _edited(_external(offset=str(2**60))),
    "weights of a length of 2^60": _edited(_external(length=str(2**60))),
    "an endless Loop": lambda folder, _: endless(folder / _MODEL),
    "an output of 2^40 elements": _edited(_large),
    "an input of 2^40 elements": _edited(_shape(2**20, 2**20)),
    "an input of 2^62 elements": _edited(_shape(2**31, 2**31)),
    "an input of a negative length": _edited(_shape(-5, 8)),
    "an input of no length": _edited(_shape(0, 8)),
    "an input without a shape": _edited(lambda model, _: model.graph.input[0].type.tensor_type.ClearField("shape")),
    "an input without a type": _edited(lambda model, _: model.graph.input[0].ClearField("type")),
    "an input that is a sequence": _edited(_sequence),
    "an input of texts": _edited(_dtype(8)),
    "an input of a dtype that does not exist": _edited(_dtype(99)),
    "names of escape sequences": _edited(_named("\x1b[2J\u202e\x07")),
    "names of 100 000 letters": _edited(_named("n" * 100_000)),
    "names of a path": _edited(_named("../../x")),
    "names of HTML": _edited(_named("<script>alert(1)</script>")),
    "an empty name": _edited(_named("")),
    "an operator that does not exist": _edited(_operator("Odd\x1b[2J")),
    "an operator of another domain": _edited(_operator("Odd", "odd.domain")),
    "opset 0": _edited(_opset(0)),
    "opset 2^62": _edited(_opset(2**62)),
    "no opset": _edited(lambda model, _: model.ClearField("opset_import")),
    "no graph": _edited(lambda model, _: model.ClearField("graph")),
    "no inputs": _edited(lambda model, _: model.graph.ClearField("input")),
    "no outputs": _edited(lambda model, _: model.graph.ClearField("output")),
    "a cycle": _edited(_cycle),
    "a function that calls itself": _edited(_function_cycle),
    "branches in branches": _edited(_deep),
    "no data file": lambda folder, _: (folder / "model.onnx_data").unlink(),
    "a data file of no bytes": lambda folder, _: (folder / "model.onnx_data").write_bytes(b""),
    "noise": lambda folder, _: (folder / _MODEL).write_bytes(np.random.default_rng(1).bytes(5000)),
    "text": lambda folder, _: (folder / _MODEL).write_text("hello"),
    "no bytes": lambda folder, _: (folder / _MODEL).write_bytes(b""),
    "cut in half": lambda folder, _: (folder / _MODEL).write_bytes((folder / _MODEL).read_bytes()[:100]),
    "a name of escape sequences": lambda folder, _: (folder / _MODEL).rename(folder / "x\x1b[2J.onnx"),
    "a name that is not UTF-8": lambda folder, _: (folder / _MODEL).rename(folder / "caf\udce9.onnx"),
    "a name of HTML": lambda folder, _: (folder / _MODEL).rename(folder / "<b>.onnx"),
    "a name of a formula": lambda folder, _: (folder / _MODEL).rename(folder / "=cmd.onnx"),
}
_QUICK = (
    "weights outside the folder",
    "an input of 2^40 elements",
    "an input of a negative length",
    "an input that is a sequence",
    "names of escape sequences",
)


def _noise(seed: int) -> Callable[[Path, Sandbox], None]:
    def change(folder: Path, sandbox: Sandbox) -> None:
        (folder / _MODEL).write_bytes(other_bytes((folder / _MODEL).read_bytes(), seed))

    return change
