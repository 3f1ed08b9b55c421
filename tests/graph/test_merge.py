"""Two decoders in one file: each branch computes what its own file does, over one set of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from tests.graph import texts
from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import ConversionError
from tfexport.graph import finish, merge_decoders, merged_contract
from tfexport.graph.contract import Contract, Port

RANDOM = np.random.default_rng(0)
W, V = RANDOM.normal(size=(4, 4)).astype(np.float32), RANDOM.normal(size=(4, 4)).astype(np.float32)
CONSTANT, OTHER = RANDOM.normal(size=(1, 4)).astype(np.float32), RANDOM.normal(size=(1, 4)).astype(np.float32)
STATES = RANDOM.normal(size=(2, 5, 4)).astype(np.float32)

# The first step makes both caches; later ones lengthen the decoder's own. `table` is another constant in each.
FIRST = """
g (float[b, s, 4] x, float[b, e, 4] states, float[4, 4] w, float[4, 4] v, float[1, 4] table)
    => (float[b, s, 4] logits, float[b, s, 4] present.0.decoder.key, float[b, e, 4] present.0.encoder.key)
{
    t = Transpose <perm = [1, 0]> (w)
    h = MatMul (x, t)
    logits = Add (h, table)
    present.0.decoder.key = Identity (x)
    present.0.encoder.key = MatMul (states, v)
}
"""
LATER = """
g (float[b, 1, 4] x, float[b, p, 4] past_key_values.0.decoder.key, float[b, q, 4] past_key_values.0.encoder.key,
   float[4, 4] w, float[1, 4] table)
    => (float[b, 1, 4] logits, float[b, n, 4] present.0.decoder.key)
{
    t = Transpose <perm = [1, 0]> (w)
    h = MatMul (x, t)
    c = ReduceMean <keepdims = 1> (past_key_values.0.encoder.key)
    a = Add (h, c)
    logits = Add (a, table)
    present.0.decoder.key = Concat <axis = 1> (past_key_values.0.decoder.key, x)
}
"""


def _weight(name: str, value: np.ndarray, source: str | None) -> ir.TensorProtocol:
    tensor = ir.Tensor(value, name=name)
    if source is not None:
        tensor.meta["tfexport.source"] = source
    return tensor


def _graph(body: str, **weights: tuple[np.ndarray, str | None]) -> WeightlessGraph:
    made = texts.proto(body.replace(".0.", "_0_").replace(".key", "_key"))
    for value in (*made.graph.input, *made.graph.output):
        value.name = _dotted(value.name)
    for node in made.graph.node:
        node.input[:] = [_dotted(name) for name in node.input]
        node.output[:] = [_dotted(name) for name in node.output]
    return WeightlessGraph(made, {name: _weight(name, *weight) for name, weight in weights.items()}, "by hand")


def _dotted(name: str) -> str:
    for prefix in ("past_key_values", "present"):
        if name.startswith(f"{prefix}_0_"):
            return f"{prefix}.0.{name.removeprefix(f'{prefix}_0_').replace('_', '.')}"
    return name


def _both(table: np.ndarray = OTHER) -> tuple[WeightlessGraph, WeightlessGraph]:
    first = _graph(FIRST, w=(W, "w"), v=(V, "v"), table=(CONSTANT, None))
    return first, _graph(LATER, w=(W.copy(), "w"), table=(table, None))


CONTRACTS = (
    Contract(
        (Port("x", "float32", ("batch", "s", 4)), Port("states", "float32", ("batch", "e", 4))),
        (
            Port("logits", "float32", ("batch", "s", 4)),
            Port("present.0.decoder.key", "float32", ("batch", "s", 4)),
            Port("present.0.encoder.key", "float32", ("batch", "e", 4)),
        ),
    ),
    Contract(
        (
            Port("x", "float32", ("batch", 1, 4)),
            Port("past_key_values.0.decoder.key", "float32", ("batch", "p", 4)),
            Port("past_key_values.0.encoder.key", "float32", ("batch", "q", 4)),
        ),
        (Port("logits", "float32", ("batch", 1, 4)), Port("present.0.decoder.key", "float32", ("batch", "n", 4))),
    ),
)


def test_each_branch_computes_what_its_own_file_does() -> None:
    first, later = _both()
    merged = finish(merge_decoders(first, later).merged, merged_contract(*CONTRACTS), 18)
    x, one = RANDOM.normal(size=(2, 3, 4)).astype(np.float32), RANDOM.normal(size=(2, 1, 4)).astype(np.float32)
    past = {
        "past_key_values.0.decoder.key": RANDOM.normal(size=(2, 3, 4)).astype(np.float32),
        "past_key_values.0.encoder.key": RANDOM.normal(size=(2, 5, 4)).astype(np.float32),
    }
    none = {name: array[:, :0] for name, array in past.items()}
    of_first = texts.run(finish(first, CONTRACTS[0], 18).model, {"x": x, "states": STATES})
    of_later = texts.run(finish(later, CONTRACTS[1], 18).model, {"x": one, **past})
    by_first = texts.run(merged.model, {"x": x, "states": STATES, **none, "use_cache_branch": np.array([False])})
    by_later = texts.run(merged.model, {"x": one, "states": STATES, **past, "use_cache_branch": np.array([True])})
    for expected, found in zip(of_first, by_first, strict=True):
        np.testing.assert_array_equal(found, expected)
    for expected, found in zip(of_later, by_later, strict=False):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(by_later[2], past["past_key_values.0.encoder.key"])  # handed on


def test_a_weight_of_both_is_stored_once_and_folded_for_both() -> None:
    first, later = _both()
    found = merge_decoders(first, later)
    assert found.later.weights["w"] is found.first.weights["w"]
    merged = finish(found.merged, merged_contract(*CONTRACTS), 18)
    assert set(merged.weight_names) == {"w", "v", "table", "later_step/table"}
    assert "Transpose" not in [node.op_type for node in merged.model.graph.all_nodes()]


def test_equal_constants_are_one() -> None:
    assert set(merge_decoders(*_both(CONSTANT.copy())).merged.weights) == {"w", "v", "table"}


def test_the_contract_of_the_merged_file() -> None:
    contract = merged_contract(*CONTRACTS)
    assert [port.name for port in contract.inputs] == [
        "x",
        "states",
        "past_key_values.0.decoder.key",
        "past_key_values.0.encoder.key",
        "use_cache_branch",
    ]
    assert contract.inputs[0].shape == ("batch", "s", 4)
    assert contract.inputs[-1] == Port("use_cache_branch", "bool", (1,))
    shapes: dict[str, Any] = {port.name: port.shape for port in contract.outputs}
    assert shapes == {
        "logits": ("batch", "s", 4),
        "present.0.decoder.key": ("batch", "n", 4),
        "present.0.encoder.key": ("batch", "e", 4),
    }


def test_graphs_that_cannot_be_merged() -> None:
    first, later = _both()
    body = LATER.replace("=> (float", "=> (float[b, 1, 4] extra, float").replace(
        "a = Add", "extra = Neg (h)\n    a = Add"
    )
    with pytest.raises(ConversionError, match="only the later one returns extra"):
        merge_decoders(first, _graph(body))
    older = texts.proto("g (float[n] x) => (float[n] logits) { logits = Neg (x) }", opset=17)
    with pytest.raises(ConversionError, match="opsets"):
        merge_decoders(first, WeightlessGraph(older, {}, "by hand"))
    assert later.weights
