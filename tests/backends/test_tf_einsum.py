"""Einsum with an ellipsis."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tests.backends.test_tensorflow import converted, run  # noqa: E402
from tfexport.backends.tensorflow.ops.einsum import written_out  # noqa: E402

EQUATIONS = [
    ("... i d, ... j d -> ... i j", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("... i j, ... j d -> ... i d", (2, 3, 4, 6), (2, 3, 6, 5)),
    ("...i,ij->...j", (2, 3, 4), (4, 5)),
    ("a...i,i->a...", (2, 3, 4), (4,)),
    ("...id,...jd->...ij", (3, 4, 5), (2, 3, 6, 5)),  # of unequal ranks
    ("bid,bjd->bij", (2, 4, 5), (2, 6, 5)),
]


@pytest.mark.parametrize(("equation", "left", "right"), EQUATIONS)
def test_it_is_what_tensorflow_computes(equation: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    x, y = (random.normal(size=shape).astype(np.float32) for shape in (left, right))
    specs = [tf.TensorSpec([None] * len(shape), tf.float32, name=name) for name, shape in (("x", left), ("y", right))]
    graph = converted(lambda x, y: tf.einsum(equation, x, y), *specs)
    np.testing.assert_allclose(run(graph, x=x, y=y)[0], tf.einsum(equation, x, y).numpy(), atol=1e-5)


def test_letters_are_free_ones() -> None:
    assert written_out("...ab,...bc->...ac", [4, 3]) == "deab,ebc->deac"
    assert written_out("...i->...", [1]) == "i->"


def test_it_still_fails_upstream() -> None:
    """Fails once tf2onnx's pass for Einsum accepts an ellipsis. Then our handler can be removed."""
    from tf2onnx.optimizer import einsum_optimizer

    with pytest.raises(ValueError, match="only contain"):
        einsum_optimizer.optimize_einsum(
            "...id,...jd->...ij", decompose=True, dtype=np.float32, opset=18, strategy="ml"
        )
