"""tf2onnx's pass that moves transposes, with the shapes that it omits.

tf2onnx 1.17.0 moves a transpose behind ``Mul(x, x)`` and does not update the recorded shape of the product. Where the axes
longer than 1 keep their order, the pass then replaces the transpose by a Reshape to the recorded shape. For a ConvNeXT whose
last map has one pixel that is ``(batch, 1, 16, 1)`` in place of ``(batch, 1, 1, 16)``.
"""

from __future__ import annotations

from typing import Any

from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer, invert_perm


class TransposePass(TransposeOptimizer):  # type: ignore[misc]
    """``TransposeOptimizer`` that records the right shape of squares."""

    def _mul_handler(self, trans: Any, node: Any) -> bool:
        is_square = node.input[0] == node.input[1] == trans.output[0]
        moved: bool = super()._mul_handler(trans, node)
        shape = self._g.get_shape(node.output[0])
        if is_square and moved and shape:
            self._g.set_shape(node.output[0], [shape[axis] for axis in invert_perm(trans.get_attr_value("perm"))])
            self._g.set_shape(trans.output[0], shape)
        return moved
