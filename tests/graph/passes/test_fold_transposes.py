"""Transposes of weights are folded into the weights, and only those."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tests.graph import texts
from tfexport.graph.passes.fold_transposes import FoldWeightTransposes, transposed

RANDOM = np.random.default_rng(0)
W = RANDOM.normal(size=(3, 4)).astype(np.float32)
V = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
X = {"x": RANDOM.normal(size=(5, 4)).astype(np.float32)}

MATMUL = """
g (float[n, 4] x, float[3, 4] w) => (float[n, 3] y) {
    t = Transpose <perm = [1, 0]> (w)
    y = MatMul (x, t)
}
"""


def _ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def _values(model: ir.Model, name: str) -> np.ndarray:
    value = model.graph.initializers[name].const_value
    assert value is not None
    return value.numpy()


def _fold(body: str, feeds: dict[str, np.ndarray] | None = None, **weights: np.ndarray) -> tuple[ir.Model, int]:
    """Fold, and assert that ONNX Runtime computes the same: the model, and the number of transposes folded."""
    before = texts.run(texts.with_weights(body, weights), X if feeds is None else feeds)
    model = texts.with_weights(body, weights)
    count = _ops(model).count("Transpose")
    result = FoldWeightTransposes()(model)
    folded = count - _ops(model).count("Transpose")
    assert result.modified == (folded > 0)
    after = texts.run(model, X if feeds is None else feeds)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    return model, folded


def test_the_weight_is_stored_transposed_under_its_own_name() -> None:
    model, folded = _fold(MATMUL, w=W)
    assert folded == 1
    assert list(model.graph.initializers) == ["w"]
    np.testing.assert_array_equal(_values(model, "w"), W.T)
    assert _ops(model) == ["MatMul"]


def test_no_permutation_means_reversed_axes() -> None:
    body = "g (float[4, 3, 2] x, float[2, 3, 4] w) => (float[4, 3, 2] y) { t = Transpose (w)  y = Add (x, t) }"
    model, folded = _fold(body, {"x": np.ones((4, 3, 2), np.float32)}, w=V)
    assert folded == 1
    assert model.graph.initializers["w"].shape == ir.Shape([4, 3, 2])


@pytest.mark.parametrize("permutation", [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)])
def test_any_permutation(permutation: tuple[int, ...]) -> None:
    shape = ", ".join(str(V.shape[axis]) for axis in permutation)
    body = (
        f"g (float[{shape}] x, float[2, 3, 4] w) => (float[{shape}] y) "
        f"{{ t = Transpose <perm = {list(permutation)}> (w)  y = Add (x, t) }}"
    )
    _, folded = _fold(body, {"x": np.ones(V.transpose(permutation).shape, np.float32)}, w=V)
    assert folded == 1


def test_a_transpose_that_is_read_twice_is_folded_once_for_both() -> None:
    body = """
    g (float[n, 4] x, float[3, 4] w) => (float[n, 3] y, float[n, 3] z) {
        t = Transpose <perm = [1, 0]> (w)
        y = MatMul (x, t)
        z = MatMul (x, t)
    }
    """
    assert _fold(body, w=W)[1] == 1


def test_a_transpose_of_a_transpose() -> None:
    body = """
    g (float[n, 4] x, float[4, 3] w) => (float[n, 3] y) {
        a = Transpose <perm = [1, 0]> (w)
        b = Transpose <perm = [1, 0]> (a)
        y = MatMul (x, b)
    }
    """
    model, folded = _fold(body, w=np.ascontiguousarray(W.T))
    assert folded == 2
    np.testing.assert_array_equal(_values(model, "w"), W.T)


def test_each_of_two_weights() -> None:
    body = """
    g (float[n, 4] x, float[3, 4] w, float[4, 3] v) => (float[n, 4] y) {
        a = Transpose <perm = [1, 0]> (w)
        h = MatMul (x, a)
        b = Transpose <perm = [1, 0]> (v)
        y = MatMul (h, b)
    }
    """
    assert _fold(body, w=W, v=np.ascontiguousarray(W.T))[1] == 2


def test_a_weight_that_all_read_transposed_alike_is_folded_for_all() -> None:
    assert _fold(TWO_TRANSPOSES, w=W)[1] == 2
    assert _fold(IN_BOTH_BRANCHES, X | {"which": np.array(True)}, w=W)[1] == 2


# Rule 1: a tied embedding is read as it is, too.
TIED = """
g (int64[n] ids, float[3, 4] w) => (float[n, 3] y) {
    h = Gather (w, ids)
    t = Transpose <perm = [1, 0]> (w)
    y = MatMul (h, t)
}
"""
TWO_TRANSPOSES = """
g (float[n, 4] x, float[3, 4] w) => (float[n, 3] y, float[n, 3] z) {
    a = Transpose <perm = [1, 0]> (w)
    y = MatMul (x, a)
    b = Transpose <perm = [1, 0]> (w)
    z = MatMul (x, b)
}
"""
TWO_PERMUTATIONS = """
g (float[2, 3, 4] x, float[3, 2, 4] w) => (float[2, 3, 4] y, float[4, 2, 3] z) {
    a = Transpose <perm = [1, 0, 2]> (w)
    y = Add (x, a)
    b = Transpose <perm = [2, 1, 0]> (w)
    z = Neg (b)
}
"""
IN_BOTH_BRANCHES = """
g (float[n, 4] x, bool which, float[3, 4] w) => (float[n, 3] y) {
    y = If (which) <
        then_branch = yes () => (float[n, 3] p) { a = Transpose <perm = [1, 0]> (w)  p = MatMul (x, a) },
        else_branch = no () => (float[n, 3] q) { b = Transpose <perm = [1, 0]> (w)  c = MatMul (x, b)  q = Neg (c) }
    >
}
"""
IN_A_BRANCH = """
g (float[n, 4] x, bool which, float[3, 4] w) => (float[n, 3] y, float[3, 4] z) {
    t = Transpose <perm = [1, 0]> (w)
    y = MatMul (x, t)
    z = If (which) <
        then_branch = yes () => (float[3, 4] p) { p = Identity (w) },
        else_branch = no () => (float[3, 4] q) { q = Neg (w) }
    >
}
"""
# Rule 2: an output of the graph has a name and a shape to keep.
TRANSPOSED_OUTPUT = """
g (float[n, 4] x, float[3, 4] w) => (float[n, 3] y, float[4, 3] t) {
    t = Transpose <perm = [1, 0]> (w)
    y = MatMul (x, t)
}
"""
NOT_A_WEIGHT = "g (float[n, 4] x) => (float[4, n] y) { y = Transpose <perm = [1, 0]> (x) }"
COMPUTED = """
g (float[n, 4] x, float[3, 4] w) => (float[n, 3] y) {
    v = Neg (w)
    t = Transpose <perm = [1, 0]> (v)
    y = MatMul (x, t)
}
"""


@pytest.mark.parametrize(
    ("body", "feeds"),
    [
        (TIED, {"ids": np.array([2, 0, 1, 1])}),
        (TWO_PERMUTATIONS, {"x": V}),
        (IN_A_BRANCH, X | {"which": np.array(True)}),
        (TRANSPOSED_OUTPUT, X),
        (NOT_A_WEIGHT, X),
        (COMPUTED, X),
    ],
)
def test_refused(body: str, feeds: dict[str, np.ndarray]) -> None:
    weight = V.transpose(1, 0, 2).copy() if body is TWO_PERMUTATIONS else W
    weights = {} if body is NOT_A_WEIGHT else {"w": weight}
    assert _fold(body, feeds, **weights)[1] == 0


def test_a_weight_that_is_an_output_is_not_folded() -> None:
    model = texts.with_weights(MATMUL, {"w": W})
    model.graph.outputs.append(model.graph.initializers["w"])
    assert not FoldWeightTransposes()(model).modified
    np.testing.assert_array_equal(texts.run(model, X)[1], W)


def test_values_are_transposed_when_they_are_read_and_not_before() -> None:
    reads: list[int] = []

    def read() -> ir.TensorProtocol:
        reads.append(1)
        return ir.Tensor(V, name="v")

    lazy = ir.LazyTensor(read, dtype=ir.DataType.FLOAT, shape=ir.Shape(V.shape), name="v", cache=False)
    made = transposed(lazy, (2, 0, 1))
    assert (made.shape, made.dtype, made.nbytes) == (ir.Shape([4, 2, 3]), ir.DataType.FLOAT, V.nbytes)
    assert reads == []
    np.testing.assert_array_equal(made.numpy(), V.transpose(2, 0, 1))
    assert made.numpy().flags.c_contiguous
    assert made.tobytes() == np.ascontiguousarray(V.transpose(2, 0, 1)).tobytes()
