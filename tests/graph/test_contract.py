"""The contract: names, order, dtypes and axes of the file are the declaration's."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from transformers import BertConfig

import tfexport
from tests.graph import texts
from tfexport.errors import ContractError
from tfexport.graph.contract import Contract, Port, apply_contract, contract_of

ADD = """
add (int64[unk__7, unk__8] second, float[unk__1, unk__2] first) => (float[unk__7, unk__8] sum, float[a, b] product) {
    cast = Cast <to = 1> (second)
    sum = Add (first, cast)
    product = Mul (first, cast)
}
"""


class _Declared(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch", 1: "sequence"}, "pixels": {0: "batch"}}

    @property
    def outputs(self) -> Any:
        return {"logits": {0: "batch"}, "hidden": {0: "batch", 1: "sequence"}}


def _contract(*sides: tuple[tuple[str, str, tuple[Any, ...]], ...]) -> Contract:
    inputs, outputs = (tuple(Port(*port) for port in side) for side in sides)
    return Contract(inputs, outputs)


BOTH = (
    (("first", "float32", ("batch", "sequence")), ("second", "int64", ("batch", "sequence"))),
    (("product", "float32", ("batch", 3)), ("sum", "float32", ("batch", "sequence"))),
)


def _arrays(**dtypes: str) -> dict[str, np.ndarray]:
    return {
        "input_ids": np.zeros((2, 8), dtypes.get("ids", "int64")),
        "pixels": np.zeros((2, 3, 40), "float32"),
    }


OUTPUTS = {"hidden": np.zeros((2, 8, 32), "float32"), "other": np.zeros(1), "logits": np.zeros((2, 3), "float32")}


@pytest.mark.parametrize(("dtype", "fed"), [("int32", "int64"), ("int64", "int64"), ("uint8", "uint8")])
def test_axes_that_have_no_name_are_static_and_ids_are_int64(dtype: str, fed: str) -> None:
    contract = contract_of(_Declared(BertConfig()), _arrays(ids=dtype), OUTPUTS)
    assert contract == _contract(
        (("input_ids", fed, ("batch", "sequence")), ("pixels", "float32", ("batch", 3, 40))),
        (("logits", "float32", ("batch", 3)), ("hidden", "float32", ("batch", "sequence", 32))),
    )


def test_other_dtypes_are_kept() -> None:
    outputs = OUTPUTS | {"logits": np.zeros((2, 3), "int32")}
    contract = contract_of(_Declared(BertConfig()), _arrays(ids="bool"), outputs)
    assert (contract.inputs[0].dtype, contract.outputs[0].dtype) == ("bool", "int32")


@pytest.mark.parametrize("missing", ["input_ids", "pixels"])
def test_a_declared_input_that_is_not_made(missing: str) -> None:
    arrays = {name: value for name, value in _arrays().items() if name != missing}
    with pytest.raises(ContractError, match=f"declared input '{missing}'"):
        contract_of(_Declared(BertConfig()), arrays, OUTPUTS)


def test_a_declared_output_that_the_model_lacks() -> None:
    with pytest.raises(ContractError, match="declared output 'logits' is not among hidden, other"):
        contract_of(_Declared(BertConfig()), _arrays(), {k: v for k, v in OUTPUTS.items() if k != "logits"})


def test_more_axes_declared_than_there_are() -> None:
    with pytest.raises(ContractError, match="'hidden' has 1 axes; the declaration names axis 1"):
        contract_of(_Declared(BertConfig()), _arrays(), OUTPUTS | {"hidden": np.zeros(2)})


def test_order_names_and_axes_are_applied() -> None:
    found = texts.model(ADD)
    apply_contract(found, _contract(*BOTH))
    session = onnxruntime.InferenceSession(ir.to_proto(found).SerializeToString())
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [
        ("first", ["batch", "sequence"], "tensor(float)"),
        ("second", ["batch", "sequence"], "tensor(int64)"),
    ]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [
        ("product", ["batch", 3]),
        ("sum", ["batch", "sequence"]),
    ]
    first, second = np.full((2, 3), 2.0, np.float32), np.full((2, 3), 5, np.int64)
    product, total = texts.run(found, {"first": first, "second": second})
    assert (product == 10).all()
    assert (total == 7).all()


def test_a_declared_input_that_nothing_reads_is_an_input() -> None:
    found = texts.model(ADD)
    contract = _contract((*BOTH[0], ("unread", "int64", ("batch",))), BOTH[1])
    apply_contract(found, contract)
    ones = np.ones((2, 3), np.float32)
    feeds: dict[str, np.ndarray] = {"first": ones, "second": ones.astype(np.int64), "unread": np.ones(2, np.int64)}
    assert (texts.run(found, feeds)[0] == 1).all()
    assert [value.name for value in found.graph.inputs] == ["first", "second", "unread"]


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (_contract(BOTH[0][:1], BOTH[1]), "inputs are second, first; the declaration's are first"),
        (_contract(BOTH[0], BOTH[1][:1]), "outputs are sum, product; the declaration's are product"),
        (_contract(BOTH[0], (*BOTH[1], ("more", "float32", ()))), "the declaration's are more, product, sum"),
        (
            _contract(BOTH[0], (("product", "float64", ("batch", 3)), BOTH[1][1])),
            "'product' is FLOAT in the graph; DOUBLE",
        ),
        (_contract((("first", "int64", ("b", "s")), BOTH[0][1]), BOTH[1]), "'first' is FLOAT in the graph; INT64"),
        (_contract(BOTH[0], (("product", "float32", ("batch",)), BOTH[1][1])), "'product' has 2 axes in the graph; 1"),
        (_contract((("first", "float32", ("b",)), BOTH[0][1]), BOTH[1]), "'first' has 2 axes in the graph; 1"),
    ],
)
def test_a_graph_that_breaks_the_contract(contract: Contract, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        apply_contract(texts.model(ADD), contract)


def test_symbols_of_the_converters_are_forgotten() -> None:
    found = texts.model(ADD)
    inner = next(iter(found.graph)).outputs[0]
    inner.shape = ir.Shape(["unk__7", "unk__8"])
    apply_contract(found, _contract(*BOTH))
    assert inner.shape is None
    assert "unk__" not in str(ir.to_proto(found))


def test_static_shapes_of_inner_values_are_kept() -> None:
    found = texts.model(ADD)
    inner = next(iter(found.graph)).outputs[0]
    inner.shape = ir.Shape([2, 3])
    apply_contract(found, _contract(*BOTH))
    assert inner.shape == ir.Shape([2, 3])
